"""An upper bound on what an agent without the truth can score on the hard tier.

`METHOD` has the argument, and what is exact and what is approximate. Draws windows by the laws
named there; plays policies in the simulator only to stand beside the bound.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress
from rich.table import Table
from scipy.special import xlog1py, xlogy
from scipy.stats import norm

from orchestrator import noise
from orchestrator.backends.process.backend import ProcessBackend
from sre_autopilot.evaluation.intervals import Estimate
from sre_autopilot.evaluation.many_seeds import Advance, VectorEvaluator
from sre_autopilot.evaluation.markdown import table
from sre_autopilot.evaluation.score_checks.flap_scores import (
    PAYMENT_AT,
    Array,
    Flaps,
    Traffic,
    scores_after,
)
from sre_autopilot.policies.belief_filter.flap_grid import NOISY, STALE
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.world import shapes
from sre_autopilot.world.draws import Stream
from sre_autopilot.world.vocabulary import MAX_STEPS, WORLD_VERSION, Tier

STALLED_MS, REST_SPREAD_MS = 1000.0 * shapes.STALL_FORGIVEN_S, 12.0
"""p99 above rest is uniform up to the first in a stall, and spread by the second at rest."""
HIDES_P99 = 1
"""More lost calls than this hide how slow the others were."""
TINY = 1e-12
BOUND = "bound"
ROWS = ("oracle", BOUND, "belief", "runbook")
"""The bound among the policies that are played beside it."""
COLUMNS = (Tier.HARD, "mean", "95 % interval")
DOCUMENT = """# What no agent can pass

An upper bound on what an agent without the truth can score on the hard tier, by filtering; beside
it policies on the same seeds ({seeds} from {first_seed}), in the simulator of the {backend}
backend, world version {version}. Written by `make hard-bound`.

{table}
## Why

{method}
"""
METHOD = """\
The argument is an information relaxation. Whatever an agent does, it waits until some step t and
then takes a first action a. Let it observe more than it does. Until t: how many calls of the
payment gateway were made and lost in each window, and their p99 where at most one was lost (lost
calls hide it), at once and exactly; its CPU as noisy, as late and as often lost as it is, but with
the lag known. From then on: the fault itself, which it cures in the best way left. What it scores
is at most E[V(h, t, a)], with V the best score of fault h once a was done at t. With B(h) = max V
over t and a, and the posterior given what was observed before t,

    E[V(h, t, a)] = E[B(h)] - E[regret(t, a)],  regret(t, a) = E[B(h) - V(h, t, a) | observed]
                 <= E[B(h)] - E[min over t and a of regret(t, a)],

for no rule of when to act beats picking the best t in hindsight. The last line is the bound: the
mean over seeds of B of the seed's fault, less the least regret along windows drawn for it. It lies
below the mean of B by construction. It is loose, for no first action tells the whole truth, and
hindsight picks moments that were luck.

Never acting is left out: a rollback in the last window scores more. So is acting on others than
the payment gateway, which costs more than to be wrong there.

Exact: the rules of cures, costs, recovery and grading; the posterior over cause and rhythm.
Approximate: loss share and CPU burnt lie on a grid for the filter; CPU at rest and p99 have normal
residuals, the first of the fitted spread; calls are Poisson, and none is counted late; SLA as in
`flap_scores`. Windows are drawn by these laws, and not by the simulator."""


def least_regret(seed: int, possible: Flaps, regrets: Array, traffic: Traffic) -> float:
    """The least expected regret (points) of a first action along windows drawn for `seed`'s fault.

    regrets: (possible faults, steps, actions).
    """
    rng, late = (
        np.random.default_rng((Stream.SIMULATOR, seed)),
        noise.lag_steps(seed, PAYMENT_AT),
    )
    fault, log, least = Flaps.drawn(seed), np.log(possible.chance), math.inf
    windows = [_drawn(fault, step, traffic, rng) for step in range(MAX_STEPS)]
    for step in range(MAX_STEPS):
        log += _work_chances(possible, windows[step])
        # Until the first late window arrives, each step repeats that of reset with new noise: all
        # these readings are weighed at once, at step 0.
        if step == 0 or step > late:
            readings = 1 + late * (step == 0)
            window = windows[max(0, step - late)]
            log += _cpu_chances(possible, window, readings, (traffic, rng))
        weights = np.exp(log - log.max())
        expected = np.tensordot(weights / weights.sum(), regrets[:, step], axes=1)
        least = min(least, float(expected.min()))
    return least


@dataclass(frozen=True, slots=True)
class TrueWindow:
    """A window without noise. `slow_ms` is p99 above rest, None where lost calls hide it."""

    step: int
    calls: int
    failed: int
    cpu_pct: float
    slow_ms: float | None


def _drawn(fault: Flaps, step: int, traffic: Traffic, rng: np.random.Generator) -> TrueWindow:
    down = fault.down[:, step]
    calls = int(rng.poisson(traffic.calls))
    failed = int(rng.binomial(calls, fault.lost[0] * down[0]))
    expected = _cpu_pct(fault, down, (calls, failed), traffic)[0]
    stalled_ms = STALLED_MS * rng.random() * bool(down[0] and fault.cause[0] == NOISY)
    slow_ms = rng.normal(stalled_ms, REST_SPREAD_MS)
    cpu_pct = rng.normal(expected, traffic.cpu_spread)
    return TrueWindow(step, calls, failed, cpu_pct, slow_ms if failed <= HIDES_P99 else None)


def _work_chances(flaps: Flaps, window: TrueWindow) -> Array:
    """Log-likelihood of calls, failures and p99, by fault: binomial failures, and p99 normal at
    rest, or in a stall uniform on [0, STALLED_MS] blurred by the same normal.
    """
    down = flaps.down[:, window.step]
    share, passed = np.where(down, flaps.lost, 0.0), window.calls - window.failed
    log: Array = xlogy(window.failed, share) + xlog1py(passed, -share)
    if window.slow_ms is not None:
        z, width = window.slow_ms / REST_SPREAD_MS, STALLED_MS / REST_SPREAD_MS
        rest, stalled = norm.pdf(z), (norm.cdf(z) - norm.cdf(z - width)) / width
        log += np.log(np.where(down & (flaps.cause == NOISY), stalled, rest) + TINY)
    return log


def _cpu_chances(
    flaps: Flaps,
    window: TrueWindow,
    readings: int,
    of: tuple[Traffic, np.random.Generator],
) -> Array:
    """Log-likelihood of noisy readings of the CPU of a window, by fault; 0 where all are lost."""
    traffic, rng = of
    arrived = rng.binomial(readings, 1.0 - noise.METRIC_LOSS_RATIO)
    if not arrived:
        return np.zeros_like(flaps.lost)
    # The mean of the readings is all that they say of the window.
    spread = noise.PERCENT_NOISE / math.sqrt(arrived)
    reading_pct = rng.normal(window.cpu_pct, spread)
    work = window.calls, window.failed
    expected = _cpu_pct(flaps, flaps.down[:, window.step], work, traffic)
    return -0.5 * (reading_pct - expected) ** 2 / (traffic.cpu_spread**2 + spread**2)


def _cpu_pct(
    flaps: Flaps, down: NDArray[np.bool_], work: tuple[int, int], traffic: Traffic
) -> Array:
    """Expected CPU of a window of so many calls, so many of them failed."""
    calls, failed = work
    silent = np.where(down & (flaps.cause == STALE), flaps.lost, 0.0)
    burnt = np.where(down, flaps.burnt_pct, 0.0)
    used = traffic.cpu_idle + traffic.cpu_call * calls * (1.0 - silent)
    expected: Array = used + traffic.cpu_lost * failed + burnt
    return expected


def bounds(seeds: range, advance: Advance = lambda _ended: None) -> list[float]:
    """The bound's share of each seed: what its fault is worth, less the least regret.

    advance: called with 1 after each seed.
    """
    possible, traffic = Flaps.possible(), Traffic.fitted(ProcessBackend.name)
    scores = scores_after(possible, traffic)
    regrets = scores.max(axis=(1, 2), keepdims=True) - scores
    shares = []
    for seed in seeds:
        worth = float(scores_after(Flaps.drawn(seed), traffic).max())
        shares.append(worth - least_regret(seed, possible, regrets, traffic))
        advance(1)
    return shares


def played(policy: str, seeds: range, advance: Advance = lambda _ended: None) -> list[float]:
    """Scores of a policy on the hard tier of the simulator."""
    evaluator = VectorEvaluator(seeds, NUMPY, ProcessBackend.name)
    scores: list[float] = evaluator.scores(policy, Tier.HARD, advance).tolist()
    return scores


def estimates(seeds: range, progress: Progress) -> dict[str, Estimate]:
    """The bound and the policies of ROWS on the same seeds."""
    by_name = {}
    bar = progress.add_task("", total=len(ROWS) * len(seeds))
    for name in ROWS:
        progress.update(bar, description=name)
        scores_of = bounds if name == BOUND else partial(played, name)
        by_name[name] = Estimate.of(scores_of(seeds, partial(progress.advance, bar)))
    return by_name


def _rows(by_name: Mapping[str, Estimate]) -> list[tuple[str, str, str]]:
    return [(name, f"{e.mean:.3f}", e.interval) for name, e in by_name.items()]


def terminal_table(by_name: Mapping[str, Estimate], seeds: range) -> Table:
    """For a terminal: a row a name."""
    out = Table(*COLUMNS, title=f"{len(seeds)} seeds from {seeds.start}")
    for row in _rows(by_name):
        out.add_row(*row)
    return out


def document(by_name: Mapping[str, Estimate], seeds: range) -> str:
    """The whole report in Markdown: the table, and METHOD."""
    return DOCUMENT.format(
        seeds=len(seeds),
        first_seed=seeds.start,
        backend=ProcessBackend.name,
        version=WORLD_VERSION,
        table=table(COLUMNS, _rows(by_name)),
        method=METHOD,
    )
