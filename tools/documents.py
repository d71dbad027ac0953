"""Writes the tables of the documents from vocabulary and results; touches no prose.

`python -m tools.documents` rewrites, in place, what stands between `<!-- generated:NAME -->`
and `<!-- /generated -->`; nothing of the environment imports this module.
"""

import ast
import inspect
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from chaos.faults import by_name
from chaos.tiers import draw_faults
from orchestrator import noise, reward
from orchestrator.actions import ACTIONS, Action, Situation
from orchestrator.backends.docker.backend import DockerBackend
from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.settings import PREFIX, Settings
from sre_autopilot import grading
from sre_autopilot.cli import demo
from sre_autopilot.evaluation.results import COLUMNS, PAIRED_COLUMNS, cells, paired, read_results
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.world import shapes, sla, topology, vocabulary
from sre_autopilot.world.deployment import initial_deployment
from sre_autopilot.world.topology import CALLS, DATABASES, ENTRY, LIMITS, USERS
from sre_autopilot.world.vocabulary import (
    ACTION_COSTS,
    DEFAULT_TIERS,
    MAX_RESTARTS,
    ActionName,
    Tier,
)

ROOT = Path(__file__).parents[1]
DOCUMENTS = tuple(ROOT / name for name in ("README.md", "docs/world.md", "docs/results.md"))
RESULTS = ROOT / "docs" / "results" / "process.jsonl"
ON_CONTAINERS = ROOT / "docs" / "results" / "docker.jsonl"
EXAMPLE = ROOT / "docs" / "examples" / "episode.jsonl"
"""What the excerpts show: the record of `make demo`'s medium episode, on a machine at rest."""
NUMBERS_FROM = (topology, vocabulary, sla, shapes, noise, reward, grading)
TIER_SEEDS = 200
"""So many seeds show every kind of fault that a tier can hide."""
EXCERPT_COLUMNS = 84
TREATED = DATABASES[0]
FRESH = Situation(initial_deployment(), step=1, remaining_restarts=MAX_RESTARTS)
"""The service that actions are tried on, and where."""

BLOCK = re.compile(r"(?s)(<!-- generated:(\w+) -->\n).*?(<!-- /generated -->)")
FAULT_ROW = re.compile(r"(?m)^(\w[\w ]+?)  +(.+(?:\n  +.+)*)$")


def table(head: str, rows: Iterable[Iterable[object]]) -> str:
    rule = re.sub("[^|]+", " --- ", head).strip()
    lines = (head, rule, *(" | ".join(map(str, row)) for row in rows))
    return "\n".join(f"| {line} |" for line in lines)


def code(text: str, language: str = "text") -> str:
    return f"```{language}\n{text.rstrip()}\n```"


def quoted(names: Iterable[object]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "-"


def graph() -> str:
    """Who calls whom, as a picture."""
    shown = [f"    {USERS}([{USERS}]) --> {ENTRY}"]
    shown += [f"    {database}[({database})]" for database in DATABASES]
    shown += [f"    {caller} --> {to}" for caller, callees in CALLS.items() for to in callees]
    return code("\n".join(["graph LR", *shown]), "mermaid")


def services() -> str:
    rows = (
        (
            f"`{name}`",
            quoted(CALLS[name]),
            limits.memory_limit_mb,
            f"{limits.cpu_limit_cores:g}",
            limits.in_flight_limit,
            _docstring(ROOT / "services" / f"{name}.py").partition(": ")[2],
        )
        for name, limits in LIMITS.items()
    )
    return table("service | calls | memory, MiB | CPU, cores | in flight | what it does", rows)


def _docstring(file: Path) -> str:
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


def actions() -> str:
    rows = (
        (f"`{name}`", ACTION_COSTS[name], inspect.getdoc(action), _when(action), _refusals(action))
        for name, action in ACTIONS.items()
    )
    return table("action | cost | what really happens | when | refused, for example, with", rows)


def _when(action: Action) -> str:
    """Since and until when it holds, read off the deployment that it leads to."""
    after = action.apply(TREATED, FRESH)
    if after == FRESH.deployment:
        return "-"
    waits = max(replica.serves_from for replica in after.replicas[TREATED]) - FRESH.step
    since = f"serves {waits} steps later" if waits > 0 else "at once"
    closes_at = after.breakers.get(TREATED)
    return f"{since}, for {closes_at - FRESH.step} steps" if closes_at else since


def _refusals(action: Action) -> str:
    """What the world says in every situation that it may refuse the action in."""
    scaled, rolled = (
        replace(FRESH, deployment=ACTIONS[name].apply(TREATED, FRESH))
        for name in (ActionName.SCALE_UP, ActionName.ROLLBACK)
    )
    situations = (replace(FRESH, remaining_restarts=0), scaled, rolled)
    said = [action.refusal(TREATED, situation) for situation in situations]
    said.append(action.refusal(ENTRY, FRESH))
    return "; ".join(f'"{why}"' for why in dict.fromkeys(filter(None, said))) or "-"


def tiers() -> str:
    return table("tier | default | hidden | what is seen", map(_tier, Tier))


def _tier(tier: Tier) -> Sequence[object]:
    drawn = [fault.kind for seed in range(TIER_SEEDS) for fault in draw_faults(tier, seed)]
    kinds = list(dict.fromkeys(drawn))
    hidden, seen = quoted(sorted(kinds)), fault_table(kinds[0])["symptom"]
    if len(kinds) > 1:
        pairs = f"in {shapes.PAIR_SHARE:.0%} of the episodes two at once"
        hidden, seen = f"one of {hidden}; {pairs}", "any of the above, or two of them mixed"
    return f"`{tier}`", "yes" if tier in DEFAULT_TIERS else "no", hidden, seen


def faults() -> str:
    told = {name: fault_table(name) for name in by_name()}
    rows = ((f"`{name}`", *said.values()) for name, said in told.items())
    return table("fault | symptom | seen in | cured by | made worse by", rows)


def fault_table(kind: str) -> Mapping[str, str]:
    """The table in the docstring of a shipped fault's module."""
    rows = FAULT_ROW.findall(inspect.getdoc(inspect.getmodule(by_name()[kind])) or "")
    return {name: re.sub(r"\s+", " ", text) for name, text in rows}


def flaps() -> str:
    rows = (
        (f"`{cause}`", f"`{shape.cheap_cure}`", *map(_spelt, ranges))
        for cause, shape in shapes.FLAP_SHAPES.items()
        for ranges in [(shape.loss_share, shape.period_steps, shape.burst_steps, shape.cpu_factor)]
    )
    return table("cause | cheap cure | calls lost in a burst | period | burst | CPU x", rows)


def score() -> str:
    """The formula, from the grader's constants."""
    terms = " + ".join(f"{weight:.2f} {term}" for term, weight in grading.WEIGHTS.items())
    return code(f"score = {grading.LOWEST:g} + {grading.SPAN:g} * ({terms})")


def settings() -> str:
    fields = Settings.model_fields.items()
    rows = ((f"`{PREFIX}{n.upper()}`", f.default or "-", f.description) for n, f in fields)
    return table("variable | default | meaning", rows)


def numbers() -> str:
    """Every named number of the world, with what is said of it where it stands."""
    rows = (
        (f"`{name}`", _spelt(value), about, f"`{module.__name__.replace('.', '/')}.py`")
        for module in NUMBERS_FROM
        for name, about in _constants(ast.parse(inspect.getsource(module)))
        for value in [getattr(module, name)]
        if _is_number(value)
    )
    return table("name | value | meaning | stands in", rows)


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Public constants of a module, each with the docstring that follows it."""
    for node, follower in zip(tree.body, [*tree.body[1:], None], strict=True):
        about = ""
        if isinstance(follower, ast.Expr) and isinstance(follower.value, ast.Constant):
            about = re.sub(r"\s+", " ", str(follower.value.value))
        for target in node.targets if isinstance(node, ast.Assign) else ():
            for name in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(name, ast.Name) and re.fullmatch(r"[A-Z][A-Z\d_]+", name.id):
                    yield name.id, about


def _is_number(value: object) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return all(isinstance(part, int | float) for part in parts)


def _spelt(value: float | Sequence[float]) -> str:
    """A number, or a range."""
    ends = (value,) if isinstance(value, int | float) else value
    return " to ".join(dict.fromkeys(f"{end:g}" for end in ends))


def screen() -> str:
    """What the demo shows of the example when things look worst."""
    step = min(_example().steps, key=lambda step: sum(step.observed["sla_status"].values()))
    taken = step.action
    action = SREAction(action=taken.action, service_id=taken.service_id) if taken else None
    shown = demo.screen(_example().tier, action, SREObservation.model_validate(step.observed))
    page = Console(file=io.StringIO(), width=EXCERPT_COLUMNS, record=True)
    page.print(shown)
    return code("\n".join(line.rstrip() for line in page.export_text().splitlines()))


def story() -> str:
    """What the demo says of the example when it is over."""
    record = _example()
    return code(Text.from_markup(demo.story(record, grading.grade(record))).plain)


def explained() -> str:
    """What the grader prints for the example."""
    with redirect_stdout(io.StringIO()) as printed:
        grading.main([str(EXAMPLE), "--explain"])
    asked = f"$ python grader.py {EXAMPLE.relative_to(ROOT)} --explain"
    return code(f"{asked}\n{printed.getvalue()}", "console")


def results() -> str:
    """Scores on the process backend, as they were played."""
    played = read_results(RESULTS, ProcessBackend.name)
    return table(" | ".join(COLUMNS), (cell.row() for cell in cells(played)))


def on_containers() -> str:
    """Scores on the docker backend, beside those of the same seeds on processes."""
    played = read_results(ON_CONTAINERS, DockerBackend.name)
    rows = paired(played, read_results(RESULTS, ProcessBackend.name))
    return table(" | ".join(PAIRED_COLUMNS), rows)


def _example() -> grading.EpisodeRecord:
    return next(grading.read_episodes(EXAMPLE.read_text().splitlines()))


BLOCKS: Mapping[str, Callable[[], str]] = {
    block.__name__: block
    for block in (
        graph, services, actions, tiers, faults, flaps, score, settings, numbers,
        screen, story, explained, results, on_containers,
    )
}  # fmt: skip


def rewritten(text: str) -> str:
    """`text` with every generated block anew. Raises KeyError for a block that nobody writes."""
    return BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found[2]]()}\n{found[3]}", text)


def main() -> None:
    for document in DOCUMENTS:
        document.write_text(rewritten(document.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
