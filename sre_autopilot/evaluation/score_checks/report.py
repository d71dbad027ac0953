"""The verdicts as text: rows of tables, a Markdown document, and tables for a terminal. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from rich.table import Table

from sre_autopilot.evaluation.intervals import Estimate
from sre_autopilot.evaluation.markdown import table
from sre_autopilot.evaluation.score_checks.checks import Estimates, Subject, Verdict, verdicts
from sre_autopilot.world.vocabulary import FAULTY_TIERS, WORLD_VERSION, Tier

COLORS: Mapping[Verdict, str] = MappingProxyType(
    {Verdict.HOLDS: "green", Verdict.FAILS: "bold red", Verdict.INCONCLUSIVE: "yellow"}
)
DOCUMENT = """# Score checks

Whether scores mean what they should: policies on seeds {first} to {last} of each tier, in the
simulator of the {simulator_of} backend, world version {version}. Written by `make bounds`.

## Scores

Means, with their 95 % intervals (bootstrap).

{scores}
## Checks

A check holds where the whole interval keeps the limit, fails where nothing of the interval does,
and is otherwise inconclusive. Differences are of the same seeds.

{checks}
{summary}
"""


def score_rows(by_subject: Estimates) -> Iterator[tuple[str, ...]]:
    """A policy, and its mean and interval on each tier played."""
    policies = dict.fromkeys(subject.policy for subject in by_subject)
    tiers = played_tiers(by_subject)
    for policy in policies:
        yield policy, *(_score(by_subject.get(Subject(policy, tier))) for tier in tiers)


def check_rows(by_subject: Estimates) -> Iterator[tuple[str, ...]]:
    """A check, and on each tier with faults the interval and the verdict."""
    rows: dict[str, dict[Tier, str]] = {}
    for check, verdict in verdicts(by_subject):
        cell = f"{by_subject[check.subject].interval} {verdict}"
        rows.setdefault(check.statement, {})[check.subject.tier] = cell
    for statement, by_tier in rows.items():
        yield statement, *(by_tier.get(tier, "-") for tier in _faulty_tiers(by_subject))


def played_tiers(by_subject: Estimates) -> list[Tier]:
    """In their usual order."""
    played = {subject.tier for subject in by_subject}
    return [tier for tier in Tier if tier in played]


def _faulty_tiers(by_subject: Estimates) -> list[Tier]:
    return [tier for tier in played_tiers(by_subject) if tier in FAULTY_TIERS]


def _score(estimate: Estimate | None) -> str:
    return f"{estimate.mean:.3f} ({estimate.interval})" if estimate else "-"


def summary(by_subject: Estimates) -> str:
    """How many checks hold, fail, and are inconclusive."""
    results = [verdict for _check, verdict in verdicts(by_subject)]
    hold, fail, inconclusive = (results.count(verdict) for verdict in Verdict)
    return (
        f"Of {len(results)} checks {hold} hold, {fail} fail, and {inconclusive} are inconclusive."
    )


def document(by_subject: Estimates, seeds: Sequence[int], simulator_of: str) -> str:
    """The whole report in Markdown."""
    return DOCUMENT.format(
        first=min(seeds),
        last=max(seeds),
        simulator_of=simulator_of,
        version=WORLD_VERSION,
        scores=table(("policy", *played_tiers(by_subject)), score_rows(by_subject)),
        checks=table(("check", *_faulty_tiers(by_subject)), check_rows(by_subject)),
        summary=summary(by_subject),
    )


def score_table(by_subject: Estimates) -> Table:
    """`score_rows` for a terminal."""
    out = Table("policy", *played_tiers(by_subject), title="mean score, 95 % interval")
    for row in score_rows(by_subject):
        out.add_row(*row)
    return out


def check_table(by_subject: Estimates) -> Table:
    """`check_rows` for a terminal, verdicts in colour."""
    out = Table("check", *_faulty_tiers(by_subject), title="score checks")
    for statement, *cells in check_rows(by_subject):
        out.add_row(statement, *map(_colored, cells))
    return out


def _colored(cell: str) -> str:
    color = next((c for verdict, c in COLORS.items() if cell.endswith(verdict)), "default")
    return f"[{color}]{cell}[/]"
