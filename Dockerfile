# The whole environment in one image: the server, and a mesh of processes for each session.
#
#   docker build -t sre-env:latest . && docker run -p 8000:8000 sre-env:latest
#
# It runs without root, without a capability and without a network, and writes to /tmp only, so it
# takes every restriction that a host may impose:
#
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#       --network none --pids-limit 256 --cpus 2 --memory 8g sre-env:latest
#
# Python comes from Debian and the rest from hashed locks. Nothing here asks for BuildKit: the
# engine's plain builder will do.

FROM debian:trixie-slim AS python
# tini reaps what is orphaned when a parent of services dies; Python as process 1 would not.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3 tini \
    && rm -rf /var/lib/apt/lists/*

FROM python AS packages
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
# Where packages come from is the machine's affair: these, or what the base image has configured.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
COPY requirements/server.txt /tmp/requirements.txt
# Wheels only: the image has no compiler. pip itself is of no use at run time.
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
        --only-binary :all: --require-hashes --no-deps --requirement /tmp/requirements.txt \
    && /opt/venv/bin/python -m pip uninstall --quiet --yes pip

FROM python
RUN useradd --uid 65532 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin sre
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY sre_autopilot sre_autopilot
COPY services services
COPY chaos chaos
COPY orchestrator orchestrator
COPY server server
COPY *.py openenv.yaml README.md pyproject.toml ./
# Readable whatever the umask of the checkout; compiled for good, as nobody can do so at run time.
RUN chmod -R a+rX . \
    && /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash .
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["tini", "-s", "--"]
CMD ["python", "-m", "server.app", "--host", "0.0.0.0", "--port", "8000"]
