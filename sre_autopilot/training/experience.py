"""Lanes of the simulator as a learner plays them: inputs, masks, rewards and hidden flags."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from sre_autopilot.history.newest import NEWEST_COUNT, advance_newest, blank_newest
from sre_autopilot.history.row_layout import SERVICE_COUNT
from sre_autopilot.simulator.gym.action_coding import FLAT_COUNT, FLAT_WAIT
from sre_autopilot.training.recipe import Recipe
from sre_autopilot.training.worlds import SideBySide, lanes_of
from sre_autopilot.world.vocabulary import ActionName, FaultKind, FlapCause, Tier

TRAINING_SEEDS_FROM = 2**40
"""Far above the seeds that anything is tuned or judged on."""
SEEDS_A_RUN = 2**32
"""More than a training uses, so that neither two runs share an episode nor two worlds of one."""
_CONTROL, _HARD = (tuple(Tier).index(tier) for tier in (Tier.CONTROL, Tier.HARD))
_ROLLBACK = np.arange(FLAT_COUNT) // SERVICE_COUNT == tuple(ActionName).index(ActionName.ROLLBACK)
_OTHERS = ~_ROLLBACK & (np.arange(FLAT_COUNT) != FLAT_WAIT)
"""Flat actions that roll a service back, and those that do something else to one."""
_KINDS, _CAUSES = len(FaultKind) - 1, len(FlapCause)
FLAG_COUNT = _KINDS * SERVICE_COUNT + _CAUSES
"""Of hidden faults: each kind but none on each service, then each cause of a flap."""
TRUTH_COUNT = 2 * FLAG_COUNT + 1
"""What a privileged critic reads besides: flags of all faults, of uncured ones, the potential."""


class Acted(NamedTuple):
    """What a learner did in all lanes: actions, their log-probabilities, values, and the state of
    its memory after this step.
    """

    actions: Any
    log_probabilities: Any
    values: Any
    state: Any


Act = Callable[[Any, Any, Any, Any], Acted]
"""From inputs, masks and truth of all lanes, and the state that the step before left."""


class Rollout(NamedTuple):
    """What was played, (horizon, lanes, ...).

    plays: whether a step was one, not the beginning of the next episode. ends: whether it ended the
    episode. last_values: (lanes,), of what follows the last step. first_state: (lanes, units), of
    the memory before the first step.
    """

    inputs: Any
    masks: Any
    truth: Any
    actions: Any
    log_probabilities: Any
    values: Any
    rewards: Any
    ends: Any
    plays: Any
    last_values: Any
    first_state: Any


def hidden_flags(info: Mapping[str, Any], *, uncured_only: bool) -> Any:
    """(lanes, FLAG_COUNT) float32 of `info` of an environment with the truth."""
    kinds, roots, causes = (info[f"fault_{name}"] for name in ("kind", "root", "cause"))
    chosen = (kinds > 0) & ~(info["fault_cured"] & uncured_only)
    flags = np.zeros((len(kinds), FLAG_COUNT), np.float32)
    lanes, faults = np.nonzero(chosen)
    of_service = (kinds[lanes, faults].astype(int) - 1) * SERVICE_COUNT + roots[lanes, faults]
    flags[lanes, of_service] = 1.0
    lanes, faults = np.nonzero(chosen & (causes >= 0))
    flags[lanes, _KINDS * SERVICE_COUNT + causes[lanes, faults].astype(int)] = 1.0
    return flags


class Lanes:
    """Episodes without end. Equal seeds and actions give equal rollouts.

    first_episode: how many a lane has begun in the same run before, after a checkpoint.
    """

    def __init__(self, recipe: Recipe, seed: int, engine: str | None, first_episode: int) -> None:
        self._recipe = recipe
        worlds = lanes_of(recipe.worlds, recipe.cpu_scales, recipe.lanes)
        self._env = SideBySide(worlds, recipe.tiers, engine)
        first = TRAINING_SEEDS_FROM + seed * SEEDS_A_RUN + first_episode * recipe.lanes
        rows, info = self._env.reset(
            first + number * SEEDS_A_RUN // len(worlds) for number in range(len(worlds))
        )
        # Lanes that are within an episode begin with what is at hand.
        self._inputs = advance_newest(blank_newest(recipe.lanes), rows)
        self._state = np.zeros((recipe.lanes, recipe.memory), np.float32)
        self._done = np.zeros(recipe.lanes, np.bool_)
        self._rollout = _empty_rollout(recipe)
        self._held = _spread(recipe.held_share, recipe.lanes)
        self._never_rollback = _spread(recipe.never_rollback_share, recipe.lanes)
        # Beside the others, so that small shares have no lane in common.
        self._only_rollback = np.roll(_spread(recipe.only_rollback_share, recipe.lanes), 1)
        self._progress = 1.0
        self._observe(info)

    def begin_update(self, progress: float) -> None:
        """Forbids what the recipe does at this share of the training, from the next step on; the
        mask of that step is not changed any more.
        """
        self._progress = progress

    def _observe(self, info: Mapping[str, Any]) -> None:
        self._masks = info["action_mask"].astype(np.bool_)
        self._masks[self._held & (info["tier"] == _CONTROL), :FLAT_WAIT] = False
        if self._progress <= self._recipe.no_rollback_share:
            self._masks[:, _ROLLBACK] = False
        elif self._progress <= self._recipe.kept_share:
            only = self._only_rollback & (info["tier"] == _HARD)
            self._masks[np.ix_(self._never_rollback, _ROLLBACK)] = False
            self._masks[np.ix_(only, _OTHERS)] = False
        self._potential = info["potential"].astype(np.float32)
        flags = [hidden_flags(info, uncured_only=uncured) for uncured in (False, True)]
        self._truth = np.concatenate([*flags, self._potential[:, None]], axis=1)

    def play(self, act: Act) -> Rollout:
        """A horizon of steps in every lane. The next one is written over its arrays."""
        out, first_state = self._rollout, self._state
        for step in range(self._recipe.horizon):
            out.inputs[step], out.masks[step] = self._inputs, self._masks
            out.truth[step], out.plays[step] = self._truth, ~self._done
            acted = act(self._inputs, self._masks, self._truth, self._state)
            self._state = acted.state
            out.actions[step], out.values[step] = acted.actions, acted.values
            out.log_probabilities[step] = acted.log_probabilities
            out.rewards[step], out.ends[step] = self._step(acted.actions)
        last = act(self._inputs, self._masks, self._truth, self._state)
        return out._replace(last_values=last.values, first_state=first_state)

    def _step(self, actions: Any) -> tuple[Any, Any]:
        """Rewards as the recipe asks for, and whether the episodes ended."""
        before = self._potential
        rows, rewards, done, info = self._env.step(actions)
        self._inputs, self._done = advance_newest(self._inputs, rows), done
        self._observe(info)
        return (self._potential - before if self._recipe.shaping else rewards), done


def _spread(share: float, lanes: int) -> Any:
    """(lanes,) bool: such a share of them, evenly, so that each world has as many of them."""
    return np.arange(lanes) * share % 1.0 < share


def _empty_rollout(recipe: Recipe) -> Rollout:
    widths = {"inputs": (NEWEST_COUNT,), "masks": (FLAT_COUNT,), "truth": (TRUTH_COUNT,)}
    kinds = {"actions": np.int64, **dict.fromkeys(("masks", "ends", "plays"), np.bool_)}
    shape = (recipe.horizon, recipe.lanes)
    # What `play` puts in by itself has no memory of its own.
    by_play = dict.fromkeys(("last_values", "first_state"))
    arrays = {
        name: np.empty((*shape, *widths.get(name, ())), kinds.get(name, np.float32))
        for name in Rollout._fields
        if name not in by_play
    }
    return Rollout(**by_play, **arrays)


def advantages(rollout: Rollout, gae_lambda: float) -> Any:
    """(horizon, lanes) float32: generalised advantage estimates without discount (Schulman et al.,
    "High-dimensional continuous control using generalized advantage estimation", 2016).

    Undiscounted: episodes have an end, and what counts is the score there. After an episode's end
    nothing follows; a step that only begins the next one has no meaning, and none is read.
    """
    out = np.zeros_like(rollout.values)
    values, later = rollout.last_values, np.zeros_like(rollout.last_values)
    for step in reversed(range(len(out))):
        goes_on = ~rollout.ends[step]
        delta = rollout.rewards[step] + values * goes_on - rollout.values[step]
        later = out[step] = delta + gae_lambda * later * goes_on
        values = rollout.values[step]
    return out
