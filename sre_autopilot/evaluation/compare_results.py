"""Two sets of scores on the same tiers and seeds, compared in pairs.

Pure: scores in; values, a table for a terminal and a JSON-ready mapping out. Plays and reads
nothing. Differences are always B - A: what changes on the way from A to B.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table

from sre_autopilot.evaluation.intervals import Estimate, paired_gap
from sre_autopilot.evaluation.results import Scored
from sre_autopilot.world.vocabulary import Tier

POOLED = "all tiers"


@dataclass(frozen=True, slots=True)
class PairedCell:
    """A policy (or two) on a tier, over the episodes that both sides have.

    tier: None where all tiers are pooled.
    difference: B - A, paired by seed.
    """

    tier: Tier | None
    policy_a: str
    policy_b: str
    pairs: int
    mean_a: float
    mean_b: float
    difference: Estimate

    @property
    def certain(self) -> bool:
        """Whether the 95 % interval of the difference leaves 0 out."""
        return self.difference.low > 0.0 or self.difference.high < 0.0


@dataclass(frozen=True, slots=True)
class ResultsComparison:
    """Paired differences, tier by tier and pooled, and how many episodes had no partner."""

    cells: tuple[PairedCell, ...]
    unpaired_a: int
    unpaired_b: int

    def as_json(self) -> dict[str, Any]:
        return {
            "cells": [
                {
                    "tier": cell.tier or POOLED,
                    "policy_a": cell.policy_a,
                    "policy_b": cell.policy_b,
                    "pairs": cell.pairs,
                    "mean_a": cell.mean_a,
                    "mean_b": cell.mean_b,
                    "difference": cell.difference._asdict(),
                }
                for cell in self.cells
            ],
            "unpaired_a": self.unpaired_a,
            "unpaired_b": self.unpaired_b,
        }


_Key = tuple[str, Tier, int]


def compare_results(a: Iterable[Scored], b: Iterable[Scored]) -> ResultsComparison:
    """Paired differences of scores on the same tiers and seeds.

    Where each side has one policy, whichever it is, these two are compared; otherwise each policy
    is compared with itself on the other side. An episode played more than once counts by its mean.
    Raises ValueError where nothing can be paired.
    """
    side_a, side_b = _means(a), _means(b)
    policies_a, policies_b = _policies(side_a), _policies(side_b)
    if len(policies_a) == len(policies_b) == 1:
        ((name_a,), (name_b,)) = policies_a, policies_b
        names = [(name_a, name_b)]
    else:
        names = [(name, name) for name in policies_a if name in policies_b]
    cells = [cell for pair in names for cell in _cells(pair, side_a, side_b)]
    if not cells:
        raise ValueError(
            "nothing can be paired: A has "
            f"{_summary(side_a)}, B has {_summary(side_b)}; both need the same tier and seed"
        )
    paired = sum(cell.pairs for cell in cells if cell.tier is not None)
    return ResultsComparison(tuple(cells), len(side_a) - paired, len(side_b) - paired)


def _means(episodes: Iterable[Scored]) -> dict[_Key, float]:
    scores: dict[_Key, list[float]] = defaultdict(list)
    for episode in episodes:
        scores[episode.policy, episode.tier, episode.seed].append(episode.score)
    return {key: float(np.mean(of_key)) for key, of_key in scores.items()}


def _policies(side: Mapping[_Key, float]) -> list[str]:
    return list(dict.fromkeys(policy for policy, _tier, _seed in side))


def _cells(
    names: tuple[str, str], side_a: Mapping[_Key, float], side_b: Mapping[_Key, float]
) -> Iterator[PairedCell]:
    """A cell a tier that both sides played, then the pooled one if there are several tiers."""
    name_a, name_b = names
    by_tier: dict[Tier, list[tuple[float, float]]] = defaultdict(list)
    for (policy, tier, seed), score in side_a.items():
        other = side_b.get((name_b, tier, seed))
        if policy == name_a and other is not None:
            by_tier[tier].append((score, other))
    for tier in Tier:
        if tier in by_tier:
            yield _cell_of(tier, names, by_tier[tier])
    if len(by_tier) > 1:
        yield _cell_of(None, names, [pair for pairs in by_tier.values() for pair in pairs])


def _cell_of(
    tier: Tier | None, names: tuple[str, str], pairs: Sequence[tuple[float, float]]
) -> PairedCell:
    a, b = ([float(score) for score in scores] for scores in zip(*pairs, strict=True))
    mean_a, mean_b = float(np.mean(a)), float(np.mean(b))
    return PairedCell(tier, *names, len(pairs), mean_a, mean_b, paired_gap(b, a))


def _summary(side: Mapping[_Key, float]) -> str:
    """What one side holds, for an error message."""
    if not side:
        return "no results"
    tiers = dict.fromkeys(tier for _policy, tier, _seed in side)
    seeds = [seed for _policy, _tier, seed in side]
    policies = ", ".join(_policies(side))
    return f"{policies} on {', '.join(tiers)}, seeds {min(seeds)} to {max(seeds)}"


def results_table(comparison: ResultsComparison) -> Table:
    """A row a cell; bold where the interval of the difference leaves 0 out.

    Fits 80 columns: two policies stand in the headers, several in a column of their own.
    """
    pairs = {(cell.policy_a, cell.policy_b) for cell in comparison.cells}
    names = [f"A: {a}\nB: {b}" for a, b in pairs if len(pairs) == 1]
    out = Table(title="\n".join(("paired by tier and seed", *names)))
    several = ("policy",) if len(pairs) > 1 else ()
    for column in (*several, "tier"):
        out.add_column(column)
    for column in ("pairs", "mean A", "mean B", "B - A", "95 % interval"):
        out.add_column(column, justify="right", no_wrap=True)
    for cell in comparison.cells:
        row = (
            *(cell.policy_a for _ in several),
            cell.tier or POOLED,
            str(cell.pairs),
            f"{cell.mean_a:.3f}",
            f"{cell.mean_b:.3f}",
            f"{cell.difference.mean:+.3f}",
            cell.difference.signed_interval,
        )
        out.add_row(*row, style="bold" if cell.certain else None)
    return out
