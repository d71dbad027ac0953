"""What fitting is worth: real episodes beside those of fitted, guessed and randomised simulators.

Pure: scores and recordings in, numbers and a sentence out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sre_autopilot.evaluation.intervals import Estimate, paired_gap
from sre_autopilot.evaluation.sim_to_real.policies import Agreement, Scores, agreement, policy_gaps
from sre_autopilot.evaluation.sim_to_real.windows import distances_of
from sre_autopilot.simulator.calibration.recordings import Key, Recording

FITTED, UNFITTED, RANDOMISED = "fitted", "unfitted", "randomised"
SETTINGS = (UNFITTED, FITTED, RANDOMISED)
DRAWS = 3
"""Worlds that each seed is played in where parameters are randomised."""
DESCRIPTION = f"""All real episodes of held-out seeds, recorded or only graded, in three simulators.
*Unfitted* parameters are guesses from the vocabulary: traffic as it is meant to be, every service
alike, nothing that piles up (`sre_autopilot/evaluation/sim_to_real/unfitted.py`).
*Randomised* ones are the fitted, each times a log-normal factor of its own, drawn for each seed;
scores are means over {DRAWS} such worlds, windows are pooled. *A policy is off by*: on a tier, on
average, whichever the sign.
"""
NEGLIGIBLE = 0.02
"""Differences of scores, or of rank correlations, up to this one count as none."""

Simulated = Mapping[Key, Recording]


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to choose the simulator's parameters, and how it compares.

    gap: sim - real, over all episodes that both have.
    policy_gap: mean of the policies' differences on a tier, each without its sign.
    ranks, ranks_by_tier: over the means of policies, and of policies on a tier.
    failed, conclusive: cells of held-out windows that fail, of those that have a floor.
    """

    name: str
    episodes: int
    gap: Estimate
    policy_gap: float
    ranks: Agreement
    ranks_by_tier: Agreement
    failed: int
    conclusive: int


def setting(
    name: str, held_out: Sequence[Recording], real: Scores, worlds: Sequence[Simulated]
) -> Setting | None:
    """Compares a simulator that was drawn as often as there are `worlds`: scores are means over
    them, windows are pooled. None where no episode is in all of them.
    """
    keys = sorted(real.keys() & set[Key].intersection(*(set(world) for world in worlds)))
    if not keys:
        return None
    sim = {key: float(np.mean([world[key].score for world in worlds])) for key in keys}
    gaps, by_tier = policy_gaps(real, sim), policy_gaps(real, sim, by_tier=True)
    both = [recording for recording in held_out if recording.key in sim]
    played = [world[recording.key] for world in worlds for recording in both]
    cells = [cell for cell in distances_of(both, played) if cell.conclusive]
    return Setting(
        name=name,
        episodes=len(keys),
        gap=paired_gap([sim[key] for key in keys], [real[key] for key in keys]),
        policy_gap=float(np.mean([abs(gap.gap.mean) for gap in by_tier])),
        ranks=agreement(gaps),
        ranks_by_tier=agreement(by_tier),
        failed=sum(cell.fails for cell in cells),
        conclusive=len(cells),
    )


def conclusion(settings: Sequence[Setting]) -> str:
    """What fitting is worth, in a sentence; empty where there is nothing to compare."""
    fitted = next((setting for setting in settings if setting.name == FITTED), None)
    others = [setting for setting in settings if setting.name != FITTED]
    if fitted is None or not others:
        return ""
    cells = "".join(f", {other.failed} when {other.name}" for other in others)
    gaps = "".join(f", by {other.policy_gap:.3f} when {other.name}" for other in others)
    changes = [
        abs(value - when_fitted)
        for other in others
        for value, when_fitted in (
            (other.policy_gap, fitted.policy_gap),
            (other.ranks_by_tier.spearman, fitted.ranks_by_tier.spearman),
        )
    ]
    why = "scores depend on the rules of the world, which are not fitted, more than on these"
    return (
        f"{fitted.failed} of {fitted.conclusive} cells of windows fail when fitted{cells}; "
        f"a policy's mean score on a tier is off by {fitted.policy_gap:.3f} when fitted{gaps}"
        f"{f': {why}' if max(changes) <= NEGLIGIBLE else ''}."
    )
