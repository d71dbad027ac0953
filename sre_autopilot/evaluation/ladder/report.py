"""The ladder in tables: rows of text. Pure."""

from collections.abc import Iterator, Sequence

from sre_autopilot.evaluation.intervals import Estimate
from sre_autopilot.evaluation.ladder.document import Ladder, Rung, TierFigures
from sre_autopilot.world.vocabulary import FAULTY_TIERS, Tier

NOTHING = "-"
SCORE_COLUMNS = ("world", "policy", *FAULTY_TIERS, "IQM of these", Tier.CONTROL)
DIAGNOSIS_COLUMNS = ("world", "policy", *FAULTY_TIERS, f"{Tier.CONTROL}, left alone")
Row = tuple[str, ...]


def score_rows(rungs: Sequence[Rung]) -> Iterator[Row]:
    """As SCORE_COLUMNS: means, but for the interquartile mean, each with its interval."""
    for rung in rungs:
        overall = None if rung.overall is None else rung.overall.middle
        control = rung.on(Tier.CONTROL)
        yield (
            *_names(rung),
            *(_score(rung.on(tier)) for tier in FAULTY_TIERS),
            estimate_text(overall),
            _score(control),
        )


def diagnosis_rows(rungs: Sequence[Rung]) -> Iterator[Row]:
    """As DIAGNOSIS_COLUMNS, of rungs of which anything is known.

    A cell of a tier: first actions at a cause, steps to detect and to recover, cost units.
    """
    for rung in rungs:
        if any(figures.actions is not None for figures in rung.tiers):
            control = rung.on(Tier.CONTROL)
            left_alone = None if control is None else control.hands_off
            cells = (_diagnosis(rung.on(tier)) for tier in FAULTY_TIERS)
            yield (*_names(rung), *cells, _share(left_alone))


def profile_columns(ladder: Ladder) -> Row:
    above = (f"> {threshold:g}" for threshold in ladder.thresholds)
    return ("world", "policy", *above, "P(better than the next below)")


def profile_rows(rungs: Sequence[Rung]) -> Iterator[Row]:
    """As `profile_columns`, of rungs that were played on every tier with faults."""
    for rung in rungs:
        overall = rung.overall
        if overall is not None:
            better = NOTHING
            if overall.improvement is not None:
                better = f"{overall.over}: {estimate_text(overall.improvement, 2)}"
            yield (*_names(rung), *(estimate_text(share, 2) for share in overall.above), better)


def state_text(ladder: Ladder) -> str:
    """Of which world the figures are, and which rungs are missing."""
    seeds = max((tier.episodes for r in ladder.rungs for tier in r.tiers), default=0)
    text = (
        f"World version {ladder.world_version}. The simulator has the parameters of the "
        f"{ladder.simulator_of} backend; up to {seeds:,} episodes a policy and tier, on seeds from "
        f"{ladder.first_seed} on."
    )
    if not ladder.missing:
        return text
    return f"{text} Not on the ladder yet: {', '.join(f'`{name}`' for name in ladder.missing)}."


def estimate_text(estimate: Estimate | None, digits: int = 3) -> str:
    """A value and its interval."""
    if estimate is None:
        return NOTHING
    value, low, high = (f"{number:.{digits}f}" for number in estimate)
    return f"{value} ({low} .. {high})"


def _names(rung: Rung) -> Row:
    trainings = f", {rung.trainings} trainings" if rung.trainings > 1 else ""
    reference = " (reference)" if rung.is_reference else ""
    return rung.world, f"{rung.policy}{trainings}{reference}"


def _score(figures: TierFigures | None) -> str:
    return NOTHING if figures is None else estimate_text(figures.mean)


def _diagnosis(figures: TierFigures | None) -> str:
    if figures is None or figures.actions is None:
        return NOTHING
    steps = (
        NOTHING if step is None else f"{step:.1f}"
        for step in (figures.detected_at, figures.recovered_at, figures.cost_units)
    )
    return " / ".join((_share(figures.first_at_cause), *steps))


def _share(share: float | None) -> str:
    return NOTHING if share is None else f"{100.0 * share:.0f} %"
