"""A postmortem with its debrief as sections, and as Markdown or HTML. No figure of its own.

Every number stands once, in `sections`; the two formats only arrange it.
"""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import NamedTuple

from sre_autopilot.debrief.postmortem import Moment, Postmortem
from sre_autopilot.debrief.report import Debrief, Estimate, Ledger, StepDebrief
from sre_autopilot.grading import EpisodeRecord
from sre_autopilot.models import SREAction

MOST_ADVICE = 3
"""Steps that "what to do better" names: those with the largest regrets."""
NOTICEABLE = 0.005
"""Points below which a regret is not worth a line."""
GAP = (
    "the record is not the simulator's own, so that every value is that of the simulated episode "
    "with the same faults and actions."
)
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.2rem .6rem;"
    "text-align:left}"
    "img{max-width:100%}"
)


class Section(NamedTuple):
    """A heading, paragraphs, bullets, and a table whose first row names its columns."""

    title: str
    paragraphs: Sequence[str] = ()
    bullets: Sequence[str] = ()
    table: Sequence[Sequence[str]] = ()


def as_markdown(title: str, sections: Iterable[Section], picture: str | None = None) -> str:
    """picture: address of the episode's picture, None for none."""
    blocks = [f"# {title}"]
    if picture is not None:
        blocks.append(f"![the episode, window by window]({picture})")
    for section in sections:
        blocks += [f"## {section.title}", *section.paragraphs]
        if section.bullets:
            blocks.append("\n".join(f"- {bullet}" for bullet in section.bullets))
        if section.table:
            head, *rows = section.table
            lines = [head, ["---"] * len(head), *rows]
            blocks.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(blocks) + "\n"


def as_html(title: str, sections: Iterable[Section], picture: str | None = None) -> str:
    """One page that loads nothing but `picture`, an address, which may hold the data itself."""
    parts = [f"<h1>{escape(title)}</h1>"]
    if picture is not None:
        parts.append(f'<img alt="the episode, window by window" src="{escape(picture)}">')
    for section in sections:
        parts.append(f"<h2>{escape(section.title)}</h2>")
        parts += [f"<p>{escape(text)}</p>" for text in section.paragraphs]
        if section.bullets:
            items = "".join(f"<li>{escape(bullet)}</li>" for bullet in section.bullets)
            parts.append(f"<ul>{items}</ul>")
        if section.table:
            head, *rows = section.table
            body = "".join(_row("td", row) for row in rows)
            parts.append(f"<table>{_row('th', head)}{body}</table>")
    head_of_page = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
    )
    body = "\n".join(parts)
    page = f'<html lang="en"><head>{head_of_page}</head>\n<body>{body}</body></html>'
    return f"<!doctype html>\n{page}\n"


def title_of(record: EpisodeRecord) -> str:
    return f"Postmortem: {record.tier}, seed {record.seed}"


def sections(record: EpisodeRecord, post: Postmortem, made: Debrief) -> list[Section]:
    return [
        _summary(record, post),
        Section("Timeline", table=[("step", "what"), *_timeline(post)]),
        _impact(post),
        Section("What was good", bullets=list(_good(made)) or ["Nothing beat what was advised."]),
        Section(
            "What to do better",
            bullets=list(_better(made, knowable=True)) or ["Nothing that could have been known."],
        ),
        Section(
            "What could not be known yet",
            bullets=list(_better(made, knowable=False)) or ["Nothing that cost points."],
        ),
        _ledgers(made),
        Section("Step by step", table=[STEP_COLUMNS, *map(_step, made.steps)]),
    ]


def _summary(record: EpisodeRecord, post: Postmortem) -> Section:
    terms = ", ".join(f"{term} {value:.2f}" for term, value in post.terms.items())
    bullets = [
        f"Broken: {', '.join(post.faults) or 'nothing'}.",
        f"Score {'' if record.finished else 'so far '}{post.score:.3f} ({terms}); played by "
        f"{record.policy or 'somebody'} on {record.backend}.",
        *(f"About this score: {caveat}." for caveat in post.caveats),
    ]
    if post.faults:
        bullets.append(
            f"Time to detect, which is to act on a cause: {_moment(post.detected)}. Time to "
            f"recover: {_moment(post.recovered)}."
        )
    losses = [(f"{points:.3f}", reason) for points, reason in post.losses]
    return Section("Summary", bullets=bullets, table=[("points lost", "why"), *losses])


def _timeline(post: Postmortem) -> Iterator[tuple[str, str]]:
    return ((str(event.step), event.text) for event in post.timeline)


def _impact(post: Postmortem) -> Section:
    impact = post.impact
    share = impact.failed / max(1, impact.calls)
    text = f"{impact.failed} of {impact.calls} calls of users failed ({share:.1%})."
    missed = [
        (service, f"{count} of {impact.windows}")
        for service, count in impact.windows_missed.items()
        if count
    ]
    table = [("service", "windows out of SLA"), *missed] if missed else []
    return Section("Impact", [text], table=table)


def _good(made: Debrief) -> Iterator[str]:
    for step in made.steps:
        gain = step.sighted.advantage
        if gain.mean > max(NOTICEABLE, 2.0 * gain.standard_error):
            over = f"over {made.adviser}"
            yield f"Step {step.step}: {named(step.taken)} gained {_points(gain)} {over}."
    cured = [step for step in made.steps if step.taken == step.advised and step.taken.service_id]
    for step in cured:
        yield f"Step {step.step}: {named(step.taken)}, as {made.adviser} would have done."


def _better(made: Debrief, *, knowable: bool) -> Iterator[str]:
    """Of the steps whose regret was mostly knowable, or mostly not, those that cost most."""
    asked = [step for step in made.steps if (step.knowable > step.not_knowable) is knowable]
    for step in sorted(asked, key=lambda step: -step.truth.regret.mean)[:MOST_ADVICE]:
        if step.truth.regret.mean < NOTICEABLE:
            return
        yield (
            f"Step {step.step}: {named(step.truth.best_action)} instead of {named(step.taken)}: "
            f"{_points(step.truth.regret)} ({made.adviser}: {named(step.advised)})."
        )


def _ledgers(made: Debrief) -> Section:
    rows = [
        (name, *map(_points, (ledger.start, ledger.regrets, ledger.luck)), f"{made.score:.3f}")
        for name, ledger in _named_ledgers(made)
    ]
    text = "Score = value at the start - regrets + luck"
    if made.exact:
        paragraphs = [f"{text}."]
    else:
        paragraphs = [f"{text} + gap. The gap is {made.gap:+.3f}: {GAP}"]
    return Section("Skill and luck", paragraphs, table=[LEDGER_COLUMNS, *rows])


LEDGER_COLUMNS = ("view", "start", "regrets", "luck", "score")
STEP_COLUMNS = (
    "step",
    "action",
    "regret, truth known",
    "best",
    "knowable",
    "advised",
    "regret by sight",
    "luck by sight",
)


def _named_ledgers(made: Debrief) -> Iterator[tuple[str, Ledger]]:
    yield f"{made.adviser}, which sees what the agent saw", made.sighted
    yield "the truth known", made.truth


def _step(step: StepDebrief) -> tuple[str, ...]:
    return (
        str(step.step),
        named(step.taken),
        _points(step.truth.regret),
        named(step.truth.best_action),
        f"{step.knowable:.3f}",
        named(step.advised),
        _points(step.sighted.regret),
        _points(step.sighted.luck),
    )


def named(action: SREAction) -> str:
    return f"{action.action} {action.service_id or ''}".rstrip()


def _points(estimate: Estimate) -> str:
    return f"{estimate.mean:.3f} +- {estimate.standard_error:.3f}"


def _moment(moment: Moment | None) -> str:
    if moment is None:
        return "never"
    after = "" if moment.after_s is None else f", {moment.after_s:.1f} s"
    return f"step {moment.step}{after}"


def _row(cell: str, values: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{cell}>{escape(str(value))}</{cell}>' for value in values)}</tr>"
