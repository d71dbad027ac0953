"""Tables of the world, read from its vocabulary, its actions and its faults."""

import ast
import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields, replace
from pathlib import Path

from chaos.fault import FaultTable
from chaos.faults import fault_table
from chaos.tiers import draw_faults
from orchestrator import noise, reward
from orchestrator.actions import ACTIONS, Action, Situation
from sre_autopilot import grading
from sre_autopilot.grading import score as score_rules
from sre_autopilot.world import shapes, sla, topology, vocabulary
from sre_autopilot.world.deployment import initial_deployment
from sre_autopilot.world.topology import CALLS, DATABASES, ENTRY, LIMITS, USERS
from sre_autopilot.world.vocabulary import (
    ACTION_COSTS,
    DEFAULT_TIERS,
    MAX_RESTARTS,
    ActionName,
    FaultKind,
    Tier,
)
from tools.markdown import code, quoted, spelt, table

ROOT = Path(__file__).parents[1]
NUMBERS_FROM = (topology, vocabulary, sla, shapes, noise, reward, score_rules)
TIER_SEEDS = 200
"""So many seeds draw every kind of fault that a tier can hide."""
TREATED = DATABASES[0]
"""The service that actions are tried on."""
FRESH = Situation(initial_deployment(), step=1, remaining_restarts=MAX_RESTARTS)
"""The situation that they are tried in: the first step of an episode."""


def graph() -> str:
    """The call graph as a mermaid picture; databases are drawn as cylinders."""
    shape = {service: f"{service}[({service})]" for service in DATABASES}
    lines = [f"    {USERS}([{USERS}]) --> {ENTRY}"]
    lines += [
        f"    {caller} --> {' & '.join(shape.get(callee, callee) for callee in callees)}"
        for caller, callees in CALLS.items()
        if callees
    ]
    return code("\n".join(["graph LR", *lines]), "mermaid")


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
        (f"`{name}`", ACTION_COSTS[name], action.description, _when(action))
        for name, action in ACTIONS.items()
    )
    return table("action | cost | what it does | when", rows)


def _when(action: Action) -> str:
    """Since and until when it holds, read off the deployment that it leads to."""
    after = action.apply(TREATED, FRESH)
    if after == FRESH.deployment:
        return "-"
    waits = max(replica.serves_from for replica in after.replicas[TREATED]) - FRESH.step
    since = f"serves {waits} steps later" if waits > 0 else "at once"
    closes_at = after.breakers.get(TREATED)
    return f"{since}, for {closes_at - FRESH.step} steps" if closes_at else since


def refusals() -> str:
    """Every reason for which an action is refused, by the messages of the actions themselves."""
    rows = [
        (f"`{name}`", f'"{reason}"')
        for name, action in ACTIONS.items()
        for reason in _reasons(action)
    ]
    return table("action | refused, for example, with", rows)


def _reasons(action: Action) -> list[str]:
    """What the action answers in each situation in which it may be refused."""
    scaled, rolled_back = (
        replace(FRESH, deployment=ACTIONS[name].apply(TREATED, FRESH))
        for name in (ActionName.SCALE_UP, ActionName.ROLLBACK)
    )
    situations = (replace(FRESH, remaining_restarts=0), scaled, rolled_back)
    answers = [action.refusal(TREATED, situation) for situation in situations]
    return list(dict.fromkeys(filter(None, [*answers, action.refusal(ENTRY, FRESH)])))


def tiers() -> str:
    return table("tier | default | hidden | what is seen", map(_tier, Tier))


def _tier(tier: Tier) -> Sequence[object]:
    drawn = [fault.kind for seed in range(TIER_SEEDS) for fault in draw_faults(tier, seed)]
    kinds = list(dict.fromkeys(drawn))
    hidden, symptom = quoted(sorted(kinds)), fault_table(FaultKind(kinds[0])).symptom
    if len(kinds) > 1:
        pairs = f"in {shapes.PAIR_SHARE:.0%} of the episodes two at once"
        hidden, symptom = f"one of {hidden}; {pairs}", "any of the above, or two of them mixed"
    return f"`{tier}`", "yes" if tier in DEFAULT_TIERS else "no", hidden, symptom


def faults() -> str:
    columns = [field.name for field in fields(FaultTable)]
    rows = ((f"`{kind}`", *astuple(fault_table(kind))) for kind in FaultKind)
    return table(" | ".join(["fault", *columns]).replace("_", " "), rows)


def flaps() -> str:
    rows = (
        (f"`{cause}`", f"`{shape.cheap_cure}`", *map(spelt, ranges))
        for cause, shape in shapes.FLAP_SHAPES.items()
        for ranges in [(shape.loss_share, shape.period_steps, shape.burst_steps, shape.cpu_factor)]
    )
    return table("cause | cheap cure | calls lost in a burst | period | burst | CPU x", rows)


def score() -> str:
    """The formula, from the grader's constants."""
    terms = " + ".join(f"{weight:.2f} {term}" for term, weight in grading.WEIGHTS.items())
    return code(f"score = {grading.LOWEST:g} + {grading.SPAN:g} * ({terms})")


def numbers() -> str:
    """Every named number of the world, with what is said of it where it stands."""
    rows = (
        (f"`{name}`", spelt(value), about, f"`{module.__name__.replace('.', '/')}.py`")
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
