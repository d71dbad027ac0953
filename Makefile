# The project's verbs. CI calls the same targets; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
UV ?= uv
ARGS ?=
TEST_WORKERS ?= 3
VENV := .venv
BIN := $(VENV)/bin
CLI := $(BIN)/python -m sre_autopilot.cli
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check
LOCKED := $(VENV)/.locked
READY := $(VENV)/.ready

define PYTHON_IS_FIT
import pkgutil, sys
if sys.version_info < (3, 11):
    sys.exit("Python 3.11 or newer is needed, this is %d.%d; try make setup PYTHON=/path/to/python3.11" % sys.version_info[:2])
if not {"ensurepip", "venv"} <= {module.name for module in pkgutil.iter_modules()}:
    sys.exit("Python's venv module is missing. On Debian and Ubuntu:\n  apt install python3-venv\n  make setup")
endef
export PYTHON_IS_FIT

# A line for every 30th package, of pip's one each.
define PROGRESS
/^Collecting/ && ++n % 30 == 0 { print "  " n " of about " all " packages found"; fflush() }
/^Installing/ { print "  installing them"; fflush() }
endef
export PROGRESS

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: $(READY) ## Make .venv from the locks (PYTHON=... picks the interpreter)

$(LOCKED): requirements/dev.txt
	@$(PYTHON) -c "$$PYTHON_IS_FIT"
	@echo "Making $(VENV) with the packages of $<: one to three minutes, once."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP_INSTALL) --require-hashes --no-deps -r $< | awk -v all=$$(grep -c == $<) "$$PROGRESS"
	@touch $@

$(READY): $(LOCKED) pyproject.toml
	@$(PIP_INSTALL) -qq --no-deps --no-build-isolation -e .
	@touch $@
	@echo "$(VENV) is ready."

.PHONY: check
check: $(READY) ## Lint, format, types, layers, spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

.PHONY: check-security
check-security: $(READY) ## Look for unsafe code, loose images, secrets and known vulnerabilities
	$(BIN)/ruff check
	$(BIN)/python -m pytest -n0 tests/architecture/test_security.py tests/deploy/test_compose.py
	$(BIN)/python -m tools.audit

.PHONY: sbom
sbom: $(READY) ## Write software bills of materials to dist/sbom (CycloneDX)
	$(CLI) dev sbom $(ARGS)

.PHONY: format
format: $(READY) ## Format, and mend what lint can mend
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

# Each of some hundred processes of the tests would compile the sources anew.
unexport PYTHONDONTWRITEBYTECODE

SIDE_BY_SIDE = $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder -n

.PHONY: test
test: $(READY) ## Run the tests (ARGS="tests/architecture -x")
ifeq ($(strip $(ARGS)),)
	$(SIDE_BY_SIDE) $(TEST_WORKERS) --ignore=tests/contract
	@# The contract is about time: three meshes of processes take a core and a half, with no other test
	@# beside them.
	$(SIDE_BY_SIDE) 3 --dist loadgroup tests/contract
else
	$(SIDE_BY_SIDE) $(TEST_WORKERS) $(ARGS)
endif

.PHONY: test-extras
test-extras: build/tutorial/.ready ## Run the tests that need the extras train, tutorial and ray
	build/tutorial/bin/python -m pytest -n0 -m "" -p no:cacheprovider tests/sre_autopilot/training \
		tests/sre_autopilot/cli/test_train.py tests/sre_autopilot/evaluation/test_ray_cluster.py \
		tests/docs/test_tutorial_files.py $(ARGS)

.PHONY: test-notebook
test-notebook: build/tutorial/.ready ## Run the notebook of docs/tutorial.md (two minutes)
	@# Jupyter's own deprecations are no errors of ours.
	build/tutorial/bin/python -m pytest -n0 -m "" -W default -p no:cacheprovider \
		tests/docs/test_tutorial_notebook.py $(ARGS)

# Trainers' pins exclude one another: an environment each. Harbor and NeMo Gym need 3.12.
TRAINERS ?= harbor inspect_ai nemo_gym skyrl trl verifiers verl
PYTHON_3_12 ?= python3.12

.PHONY: test-trainers
test-trainers: $(TRAINERS:%=test-adapter-%) ## Play episodes through trainers' libraries

test-adapter-%: build/adapters/%/.ready
	@# Their own deprecations are no errors of ours.
	build/adapters/$*/bin/python -m pytest -n0 -W default -p no:cacheprovider \
		tests/sre_autopilot/adapters/test_$*.py

# torch and what trainers need are gigabytes: environments of their own, under build/, made once.
.PRECIOUS: build/%/.ready
build/adapters/harbor/.ready build/adapters/nemo_gym/.ready: PYTHON := $(PYTHON_3_12)
build/%/.ready: requirements/%.txt
	@$(PYTHON) -c "" || { echo "$(@D) needs $(PYTHON): name one by PYTHON=... or PYTHON_3_12=..."; exit 2; }
	@echo "Making $(@D) with the packages of $<: minutes, once."
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

.PHONY: demo
demo: $(READY) ## Watch a policy play easy, medium and hard (ARGS=--help)
	$(CLI) demo $(ARGS)

.PHONY: evaluate
evaluate: $(READY) ## Score policies over seeds (ARGS=--help)
	$(CLI) evaluate $(ARGS)

.PHONY: evaluate-stack
evaluate-stack: $(READY) base-image ## The same on a stack of containers of its own (ARGS=--help)
	$(CLI) dev on-stack -- $(CLI) evaluate --meshes 1 $(ARGS)

.PHONY: dataset
SMALL_POLICIES := oracle,learned,belief,runbook,heuristic,random,wait
SMALL_TIERS := easy,medium,hard,control,expert
dataset: $(READY) ## Make the small data set of the repository anew: 70 episodes, ten minutes
	rm -rf runs/small
	$(CLI) evaluate --backend process --meshes 1 --first-seed 0 --seeds 1 --out runs/small/evaluate.jsonl \
		--policies $(SMALL_POLICIES) --tiers $(SMALL_TIERS)
	rm -rf docs/examples/dataset
	$(CLI) dataset docs/examples/dataset --seeds 1 --process-rewards --formats jsonl.gz \
		--policies $(SMALL_POLICIES) --records runs/small/episodes $(ARGS)

.PHONY: calibrate
calibrate: $(READY) ## Fit the simulator to the recordings (ARGS=docker)
	$(CLI) dev calibrate $(or $(ARGS),process)

.PHONY: sim-to-real
sim-to-real: $(READY) ## Compare the simulator with recordings: report and pictures
	$(CLI) dev sim-to-real $(ARGS)

.PHONY: bounds
bounds: $(READY) ## Check the scores of all policies on a thousand simulated seeds a tier
	$(CLI) dev score-checks --out docs/bounds.md $(ARGS)

.PHONY: hard-bound
hard-bound: $(READY) ## Estimate what no agent without the truth can exceed on hard
	$(CLI) dev hard-bound --seeds 300 --out docs/hard-bound.md $(ARGS)

.PHONY: ladder
ladder: $(READY) ## Play the ladder of policies, and write docs/benchmark.md (ARGS=--help)
	$(CLI) dev ladder $(ARGS)

.PHONY: generalisation
generalisation: $(READY) ## Score policies in worlds that they were not made for (ARGS=--help)
	$(CLI) dev generalisation --out docs/generalisation.md $(ARGS)

.PHONY: check-debrief
check-debrief: $(READY) ## Check that the debriefs of 200 simulated records add up (ARGS="--records 40")
	$(CLI) dev check-ledgers $(ARGS)

.PHONY: bench
bench: $(READY) ## Measure speed (ARGS=--help)
	$(CLI) bench $(ARGS)

.PHONY: chaos-test
chaos-test: $(READY) ## Kill every part, and check what is left (ARGS="--kills 300")
	$(CLI) chaos-test $(ARGS)

.PHONY: fuzz
fuzz: $(READY) ## Fuzz the server with 20,000 requests (ARGS="--requests 1000 --seed 1")
	$(BIN)/python -m tests.server.fuzz $(ARGS)

.PHONY: fuzz-schema
fuzz-schema: $(READY) ## Hold the server against its OpenAPI document (ARGS="--cases 300")
	@$(PIP_INSTALL) -qq --require-hashes --no-deps -r requirements/fuzz.txt
	$(BIN)/python -m tests.server.schema_fuzz $(ARGS)

.PHONY: serve
serve: $(READY) ## Serve the environment on port 8000 (ARGS=--help)
	$(CLI) serve $(ARGS)

# A resource that a test leaves open is a warning: containers are what is tested. PYTHONTRACEMALLOC=20
# says where it was opened, and makes the imports of the server take 90 s in place of 2.
LIVE = $(BIN)/python -m pytest -m live -W default::pytest.PytestUnraisableExceptionWarning

.PHONY: test-live
test-live: $(READY) base-image ## Build the image and test it on a real engine
	$(LIVE) --ignore=tests/contract $(ARGS)
	@# As in `make test`, apart from other tests: two meshes of processes at once; one stack of containers.
	$(LIVE) -n 2 --dist load --maxschedchunk 1 -k "not docker" tests/contract $(ARGS)
	$(LIVE) -k docker tests/contract $(ARGS)

CONSOLE_READY := $(VENV)/.console-test
$(CONSOLE_READY): $(READY) requirements/console-test.txt
	@$(PIP_INSTALL) -qq --require-hashes --no-deps -r requirements/console-test.txt
	@touch $@

.PHONY: test-console
test-console: $(CONSOLE_READY) ## Test the console in a real Chromium (as root on Debian, install one)
	@scripts/chromium.sh
	$(BIN)/python -m pytest -n0 --timeout=400 -m browser tests/browser $(ARGS)

.PHONY: console-limits
console-limits: $(CONSOLE_READY) ## Measure what the console costs: start, memory, first paint, watching
	@scripts/chromium.sh
	$(BIN)/python -m tools.console_limits $(ARGS)

.PHONY: screenshots
screenshots: $(CONSOLE_READY) ## Take the documents' pictures of the console
	@scripts/chromium.sh
	$(BIN)/python -m tools.screenshots

.PHONY: engine
engine: ## Make sure that a Docker engine answers (as root on Debian, start one)
	@scripts/engine.sh start

.PHONY: engine-stop
engine-stop: ## Stop the engine that `make engine` started, and no other
	@scripts/engine.sh stop

.PHONY: base-image
base-image: engine ## Make sure that the engine has the image that ours is built on
	@scripts/base_image.sh

.PHONY: image
image: base-image ## Build the image of the whole environment, sre-env:latest
	docker build -t sre-env:latest --build-arg PIP_INDEX_URL --build-arg PIP_EXTRA_INDEX_URL \
		--build-arg PIP_TRUSTED_HOST $(ARGS) .

# Standbys are created and not started. The CPUs are those that the engine has, two at most. A judged
# stack goes without Prometheus, which would show the truth to whoever reaches its port.
.PHONY: up
up: base-image ## Start the stack of containers: port 8000, Prometheus on 9090
	@scripts/mesh_token.sh
	@mode="$${SRE_MODE:-$$(grep -s '^SRE_MODE=' .env | cut -d = -f 2 || true)}"; \
	export COMPOSE_PROFILES=prometheus; [ "$$mode" != judge ] || COMPOSE_PROFILES=; \
	export SRE_CPUSET="$${SRE_CPUSET:-$$(docker info --format '{{if gt .NCPU 1}}0,1{{else}}0{{end}}')}"; \
	docker compose create --build $(ARGS); \
	docker compose up --detach --wait orchestrator $$COMPOSE_PROFILES

# The services send Jaeger a copy of their spans, so that they have to know of it from the start.
.PHONY: up-viewers
up-viewers: export OTEL_EXPORTER_OTLP_ENDPOINT ?= http://jaeger.telemetry:4318
up-viewers: up ## The same, with Grafana on 3000 and Jaeger on 16686 (pulls their images)
	docker compose --profile prometheus --profile observability up --detach --no-deps grafana jaeger

.PHONY: down
down: ## Stop the stack; nothing stays behind but its images, and its token in .env
	@for id in $$(docker compose --profile prometheus --profile observability ps --quiet); do \
		docker stop --time=3 $$id >/dev/null; done
	docker compose --profile prometheus --profile observability down $(ARGS)

.PHONY: validate
validate: $(READY) ## Ask OpenEnv's validators about this checkout
	@UV=$(UV) PYTHON=$(BIN)/python scripts/validate.sh

.PHONY: generate
generate: $(READY) ## Write the generated files anew
	$(CLI) dev generate

COMPILE = $(UV) pip compile --quiet --universal --python-version $${version:-3.11} --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(ARGS)

.PHONY: lock
lock validate: export UV_DEFAULT_INDEX ?= $(shell $(PYTHON) -m pip config get global.index-url 2>/dev/null)
lock: ## Write requirements/*.txt and uv.lock anew (needs uv; ARGS=--upgrade lifts the pins)
	$(COMPILE) pyproject.toml requirements/dev.in --extra all -o requirements/dev.txt
	$(COMPILE) pyproject.toml --extra live --override requirements/server.override \
		-c requirements/dev.txt -o requirements/server.txt
	$(COMPILE) pyproject.toml --extra dataset -c requirements/dev.txt -o requirements/dataset.txt
	$(COMPILE) pyproject.toml --extra train -c requirements/dev.txt -o requirements/train.txt
	$(COMPILE) pyproject.toml --extra ray -c requirements/dev.txt -o requirements/ray.txt
	$(COMPILE) pyproject.toml requirements/dev.in --extra all --extra tutorial --extra ray \
		-c requirements/dev.txt -c requirements/train.txt -c requirements/ray.txt -o requirements/tutorial.txt
	$(COMPILE) requirements/mesh.in -c requirements/dev.txt -o requirements/mesh.txt
	$(COMPILE) pyproject.toml --extra console-test -c requirements/dev.txt -o requirements/console-test.txt
	$(COMPILE) requirements/fuzz.in -c requirements/dev.txt -o requirements/fuzz.txt
	for file in requirements/adapters/*.in; do \
		version=3.11; [[ $$file != */@(harbor|nemo_gym).in ]] || version=3.12; \
		$(COMPILE) $$file -o $${file%.in}.txt; done
	$(UV) lock --quiet $(ARGS)

.PHONY: clean
clean: ## Remove all that the other targets make, .venv included
	rm -rf $(VENV) build dist *.egg-info .*_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
