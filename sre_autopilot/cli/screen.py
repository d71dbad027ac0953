"""How episodes look in a terminal: the table after a step, and the summary at the end.

Pure: observations and records in, rich renderables out. Nothing here is wider than 80 columns.
"""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sre_autopilot.grading import WEIGHTS, EpisodeRecord, FaultRecord, Score, Validity
from sre_autopilot.models import SREAction, SREObservation

MET, BROKEN = Text("met", "green"), Text("broken", "bold red")
MISSING = "-"
"""A value that did not arrive."""


def screen(name: str, action: SREAction | None, observation: SREObservation) -> Table:
    """What an agent sees after a step, or after reset, where `action` is None.

    name: of the episode, for the title: its tier, or its session.
    """
    last = "the episode begins" if action is None else spell(action)
    table = Table(title=f"{name}  step {observation.step}/{observation.max_steps}  {last}")
    for column in ("service", "SLA", "p99 ms", "errors", "cpu %", "memory %"):
        table.add_column(column, justify="left" if column == "service" else "right", min_width=8)
    for service, metrics in observation.metrics.items():
        values = (metrics.latency_p99, metrics.error_rate, metrics.cpu_pct, metrics.memory_pct)
        cells = (MISSING if value is None else f"{value:g}" for value in values)
        table.add_row(service, MET if observation.sla_status[service] else BROKEN, *cells)
    return table


def spell(action: SREAction) -> str:
    """An action in words: `restart user_db`."""
    return f"{action.action} {action.service_id or ''}".strip()


def episode_summary(
    record: EpisodeRecord, score: Score, *, explain: bool = False
) -> RenderableType:
    """What was broken, what was done, when it recovered, and the score.

    explain: also where the lost points went, the largest loss first.
    """
    lines = Table.grid(padding=(0, 2))
    lines.add_column(no_wrap=True)
    lines.add_column()
    for label, text in _summary_rows(record, score, explain):
        lines.add_row(f"  {label}", text)
    title = Text.assemble((record.tier, "bold"), f", seed {record.seed}")
    return Group(title, lines)


def _summary_rows(
    record: EpisodeRecord, score: Score, explain: bool
) -> Iterator[tuple[str, RenderableType]]:
    yield "broken", Text("; ".join(map(_fault_text, record.breakages)) or "nothing")
    yield "done", Text("; ".join(_action_texts(record)) or "nothing")
    if record.breakages:
        recovered = score.recovered_at
        yield "recovered", "never" if recovered is None else f"at step {recovered}"
    if not record.finished:
        early = f"the episode ended early, at step {len(record.steps) - 1}"
        yield "score", f"none: {early} (so far {score.total:.3f})"
        return
    yield "validity", _validity_text(record.checked_validity, explain)
    terms = ", ".join(f"{term} {getattr(score, term):.2f}" for term in WEIGHTS)
    yield "score", Text.assemble((f"{score.total:.3f}", "bold"), f" ({terms})")
    if explain:
        losses = sorted(score.reasons, reverse=True)
        text = "\n".join(f"-{points:.3f}  {reason}" for points, reason in losses)
        yield "lost", Text(text or "nothing")


def _validity_text(validity: Validity, explain: bool) -> Text:
    """Whether the score can be trusted; explain: why not."""
    lines = [validity.text, *(validity.reasons if explain else ())]
    return Text("\n".join(lines), "" if validity.counts else "bold red")


def _fault_text(fault: FaultRecord) -> str:
    parameters = ", ".join(_parameter_text(*item) for item in fault.parameters.items())
    return f"{fault.kind} at {fault.root}" + (f" ({parameters})" if parameters else "")


def _parameter_text(name: str, value: object) -> str:
    return f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"


def _action_texts(record: EpisodeRecord) -> Iterator[str]:
    """Every action on a service, with its step and what came of it."""
    for step in record.steps:
        action = step.action
        if action is not None and action.service_id is not None:
            outcome = "" if action.accepted else " (refused)"
            outcome += " - the cure" if action.cures else ""
            yield f"step {step.step}: {action.action} {action.service_id}{outcome}"
