"""How far the simulator is from a real world, and where it fails, in Markdown.

Pure: a comparison in, text out. Measures and draws nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np

from sre_autopilot.evaluation.markdown import table
from sre_autopilot.evaluation.sim_to_real.ablation import DESCRIPTION, Setting, conclusion
from sre_autopilot.evaluation.sim_to_real.policies import HIGHEST_SCORE_GAP, PolicyGap, agreement
from sre_autopilot.evaluation.sim_to_real.responses import OFFSETS, RESPONDING, Response
from sre_autopilot.evaluation.sim_to_real.windows import (
    HIGHEST_AUTOCORRELATION_GAP,
    HIGHEST_RATIO,
    LEAST_DISTANCE,
    Autocorrelation,
    Distance,
)
from sre_autopilot.simulator.calibration.recordings import Recording
from sre_autopilot.world.vocabulary import ActionName

DISTANCE_COLUMNS = (
    "metric", "fault", "windows", "missing real", "missing sim",
    "KS", "KS real-real", "ratio", "W", "W real-real", "ratio",
)  # fmt: skip
POLICY_COLUMNS = ("policy", "episodes", "real", "95 %", "sim", "95 %", "sim - real", "95 %")
AGREEMENT_COLUMNS = ("ranked", "how many", "Pearson", "Spearman", "MMRV")
ABLATION_COLUMNS = (
    "parameters", "episodes", "sim - real", "95 %", "a policy is off by",
    "Spearman", "MMRV", "Spearman, tiers", "MMRV, tiers", "cells that fail",
)  # fmt: skip
HEAD = f"""# From the simulator to the real mesh

How far the simulator's episodes are from recorded real ones of the same policy, tier and seed.
Written by `sre-autopilot dev sim-to-real`; the seeds compared were held out from the fit.

How to read it:

- **KS** is the Kolmogorov-Smirnov distance of two samples of windows: the largest difference of
  their distribution functions. **W** is the 1-Wasserstein distance over the spread of the real
  sample: its interquartile range, or its standard deviation where that is larger.
- **real-real** is the same distance between two halves of the real episodes: repeated runs of the
  same episodes where there are any, otherwise every other seed. Halves are smaller than the whole,
  and of other seeds, so that it is a lenient floor. **ratio** is sim-real over real-real, neither
  counted as less than {LEAST_DISTANCE}.
- A cell fails where a ratio is above {HIGHEST_RATIO:g}, or where the autocorrelations differ by
  more than {HIGHEST_AUTOCORRELATION_GAP}. A policy fails where its mean score differs by more than
  {HIGHEST_SCORE_GAP}, and the interval of the difference leaves 0 out.
- **MMRV** is the mean maximum rank violation of SIMPLER (arXiv 2405.05941), in points of score.
- Windows are pooled over the seven services, those of reset left out. Episodes with two faults
  count for responses and policies only. Intervals are bootstraps of the mean.
"""
WINDOWS, RESPONSES, POLICIES = "windows", "responses", "policies"
"""The pictures of a comparison, by what they show."""
DIGITS = 3


@dataclass(frozen=True, slots=True)
class Comparison:
    """One real world and the simulator of it.

    real, sim: the held-out episodes and those of the same keys.
    fitted: distances on the episodes that were fitted to.
    policies: gaps over all held-out episodes, recorded or only graded, pooled over tiers.
    policies_by_tier: the same, tier by tier.
    ablation: the same episodes where the simulator is fitted and where it is not.
    """

    backend: str
    real: Sequence[Recording]
    sim: Sequence[Recording]
    distances: Sequence[Distance]
    fitted: Sequence[Distance]
    autocorrelations: Sequence[Autocorrelation]
    responses_real: Mapping[ActionName, Response]
    responses_sim: Mapping[ActionName, Response]
    policies: Sequence[PolicyGap]
    policies_by_tier: Sequence[PolicyGap]
    ablation: Sequence[Setting] = ()


def report(comparisons: Iterable[Comparison], pictures: Mapping[tuple[str, str], str]) -> str:
    """The whole document; `pictures` are links by backend and by what they show."""
    parts = [HEAD]
    for comparison in comparisons:
        links = {
            what: link for (name, what), link in pictures.items() if name == comparison.backend
        }
        parts += _section(comparison, links)
    return "\n".join(parts)


def _section(comparison: Comparison, links: Mapping[str, str]) -> Iterator[str]:
    policies = sorted({recording.policy for recording in comparison.real})
    seeds = {recording.seed for recording in comparison.real}
    yield f"## Against the {comparison.backend} backend\n"
    yield (
        f"{len(comparison.real)} held-out episodes of {', '.join(policies)}; "
        f"seeds {min(seeds)} to {max(seeds)}, {len(seeds)} in all.\n"
    )
    yield "### What fails\n"
    yield "\n".join(f"- {line}" for line in failures(comparison)) + "\n"
    yield "### Windows\n"
    yield table(DISTANCE_COLUMNS, map(_distance_row, comparison.distances))
    yield _picture(links, WINDOWS, "Distribution functions of each metric under each fault")
    yield "### Autocorrelation at lag 1\n"
    yield table(
        ("metric", "fault", "real", "sim"), map(_autocorrelation_row, comparison.autocorrelations)
    )
    yield "### Responses to actions\n"
    yield "Means of the service acted on, by step from the action, whose own window is 0.\n"
    columns = ("action", "metric", "world", "times", *(f"{offset:+d}" for offset in OFFSETS))
    yield table(columns, _response_rows(comparison))
    yield _picture(links, RESPONSES, "Mean response of the service acted on")
    yield from _policies(comparison)
    yield _picture(links, POLICIES, "Mean scores of policies in both worlds")
    yield from _ablation(comparison.ablation)


def failures(comparison: Comparison) -> list[str]:
    """A line for everything that fails, after the shares of cells that do."""
    lines = [_share("cells of held-out seeds", comparison.distances)]
    if comparison.fitted:
        lines.append(_share("cells of the seeds that were fitted to", comparison.fitted))
    lines += [
        f"`{d.metric}`, {d.cause}: KS ratio {_number(d.ks_ratio)}, W ratio "
        f"{_number(d.wasserstein_ratio)}"
        for d in comparison.distances
        if d.fails
    ]
    lines += [
        f"`{a.metric}`, {a.cause}: autocorrelation {_number(a.sim)}, real {_number(a.real)}"
        for a in comparison.autocorrelations
        if a.fails
    ]
    lines += [
        f"{gap.policy}: scores {_signed(gap.gap.mean)}" for gap in comparison.policies if gap.fails
    ]
    return lines


def _share(cells: str, distances: Sequence[Distance]) -> str:
    failed = sum(distance.fails for distance in distances)
    inconclusive = sum(not distance.conclusive for distance in distances)
    without = (
        f"; {inconclusive} are inconclusive, for too few real episodes" if inconclusive else ""
    )
    return f"{failed} of {len(distances)} {cells} are too far from the real ones{without}"


def _distance_row(d: Distance) -> tuple[str, ...]:
    ks = (d.ks, d.ks_floor, d.ks_ratio)
    wasserstein = (d.wasserstein, d.wasserstein_floor, d.wasserstein_ratio)
    missing = (f"{100 * share:.1f} %" for share in (d.missing_real, d.missing_sim))
    return (f"`{d.metric}`", d.cause, str(d.windows), *missing, *map(_number, (*ks, *wasserstein)))


def _autocorrelation_row(a: Autocorrelation) -> tuple[str, ...]:
    return f"`{a.metric}`", a.cause, _number(a.real), _number(a.sim)


def _response_rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    for action in sorted(
        {*comparison.responses_real, *comparison.responses_sim}, key=list(ActionName).index
    ):
        for metric in RESPONDING:
            for world, responses in (
                ("real", comparison.responses_real),
                ("sim", comparison.responses_sim),
            ):
                if action in responses:
                    means = map(_number, responses[action].means[metric])
                    yield action, f"`{metric}`", world, str(responses[action].times), *means


def _policies(comparison: Comparison) -> Iterator[str]:
    yield "### Policies\n"
    yield "All episodes of held-out seeds, recorded or only graded, all tiers pooled.\n"
    yield table(POLICY_COLUMNS, map(_policy_row, comparison.policies))
    ranked = {"policies": comparison.policies, "policies on a tier": comparison.policies_by_tier}
    yield table(AGREEMENT_COLUMNS, (_agreement_row(*item) for item in ranked.items()))


def _ablation(settings: Sequence[Setting]) -> Iterator[str]:
    if not settings:
        return
    yield "### What fitting is worth\n"
    yield DESCRIPTION
    yield table(ABLATION_COLUMNS, map(_setting_row, settings))
    yield f"{conclusion(settings)}\n"


def _setting_row(setting: Setting) -> tuple[str, ...]:
    ranks = (
        _number(value)
        for ranked in (setting.ranks, setting.ranks_by_tier)
        for value in (ranked.spearman, ranked.mmrv)
    )
    gap = _signed(setting.gap.mean), setting.gap.signed_interval, f"{setting.policy_gap:.3f}"
    cells = f"{setting.failed} of {setting.conclusive}"
    return setting.name, str(setting.episodes), *gap, *ranks, cells


def _policy_row(gap: PolicyGap) -> tuple[str, ...]:
    worlds = (
        text for world in (gap.real, gap.sim) for text in (f"{world.mean:.3f}", world.interval)
    )
    return (
        *(gap.policy, str(gap.episodes), *worlds),
        *(_signed(gap.gap.mean), gap.gap.signed_interval),
    )


def _agreement_row(ranked: str, gaps: Sequence[PolicyGap]) -> tuple[str, ...]:
    ranks = agreement(gaps)
    return ranked, str(ranks.ranked), *map(_number, (ranks.pearson, ranks.spearman, ranks.mmrv))


def _picture(links: Mapping[str, str], name: str, caption: str) -> str:
    return f"![{caption}]({links[name]})\n" if name in links else ""


def _signed(points: float) -> str:
    return f"{points:+.3f}"


def _number(value: float) -> str:
    """Three digits; a dash for what cannot be comparison."""
    if isnan(value):
        return "-"
    return np.format_float_positional(value, precision=DIGITS, fractional=False, trim="-")
