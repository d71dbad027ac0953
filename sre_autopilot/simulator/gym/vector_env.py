"""Many episodes at once, natively: what `gymnasium.make_vec` gives."""

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from sre_autopilot.errors import InvalidValue
from sre_autopilot.history.row_layout import STEP_FEATURE
from sre_autopilot.models import SREObservation
from sre_autopilot.simulator.batch import EpisodeQueue, StepOutput
from sre_autopilot.simulator.engines import make_engine
from sre_autopilot.simulator.gym.action_coding import Forbidden, coding_of
from sre_autopilot.simulator.gym.arguments import (
    LearnerOptions,
    Seed,
    first_seeds,
    parse_autoreset_mode,
    parse_render_mode,
    parse_shares,
    parse_staggered,
)
from sre_autopilot.simulator.gym.hidden_info import hidden_info
from sre_autopilot.simulator.gym.pictures import RGB_ARRAY, picture_of_rows
from sre_autopilot.simulator.gym.spaces import observation_space
from sre_autopilot.simulator.lane_observations import LaneObservations
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.window_arrays import Parameters
from sre_autopilot.simulator.span_draws import SpanDraws
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, Tier


class SREAutopilotVectorEnv(VectorEnv[Any, Any, Any]):
    """`num_envs` incidents at once, each with a mesh and a hidden fault of its own.

    ### Description
    The simulator of the world that `orchestrator.environment.Environment` plays for real: seven
    services, faults by tier, five actions. Equal seeds and actions give equal bytes, whatever the
    number of environments and the engine.

    ### Action Space
    `MultiDiscrete([5, 7])`: an action (restart, scale_up, circuit_break, rollback, wait) and the
    service that it is for, in the order of `ActionName` and `Service`. `wait` ignores the service.
    With `actions="flat"`, `Discrete(29)`: 7 * action + service, and 28 to wait.
    `info["action_mask"]` (num_envs, 5, 7), or (num_envs, 29), is 1 where the action would be
    accepted; a refused one changes nothing, but takes the step.

    ### Observation Space
    `Box(41,)`, float32: p99 latency (ms), error rate, CPU and memory (%), each of seven services,
    -1 where a value did not arrive; seven noisy SLA verdicts; step, restarts left, cost spent, last
    action, its service, and whether it was refused. With `trace_edges=True`, 21 more: calls, error
    rate and p99 latency (ms) of the seven edges of the call graph, as the spans show them.

    ### Rewards
    0 until the last step, then the grader's score, 0.01 to 0.99.

    ### Starting State
    A fresh mesh with the fault of (tier, seed) installed; the first observation is a window of it.

    ### Episode End
    After 30 steps, or when every fault is cured and all SLAs were truly met for three windows.
    The step after that begins the next episode and gives its first observation (NextStep). With
    `autoreset_mode="SameStep"` it begins in the step that ended the last one, of which
    `info["final_obs"]` and `info["final_info"]` hold what came last.

    ### Seeding
    `reset(seed=s)` gives environment i the seed s + i; `reset(seed=[...])` names one for each,
    where None draws one;
    `reset()` draws s from the training seeds (`SEED_SPLITS`). The k-th episode of an environment
    after its reset has that seed plus k * num_envs, so no seed comes twice.
    With `options={"staggered": True}` the environments have already waited for 0 to 29 steps of
    their first episodes, evenly spread, so that their episodes do not end together.

    ### Arguments
    num_envs: episodes side by side.
    tier: easy, medium, hard, control or expert.
    simulator_of: the real backend whose fitted parameters are taken, or the parameters.
    engine: "numba" (the first one on a machine compiles for about ten seconds), "numpy" (a tenth
        as fast, the same bits), or None: Numba where it is installed, else NumPy with a warning.
    tiers: instead of `tier`, the share of episodes of each; an episode's seed and the shares decide
        which it is. `info["tier"]` is then its place in `Tier`, for logs.
    actions: "pairs" or "flat", see Action Space.
    autoreset_mode: "NextStep" or "SameStep", see Episode End.
    forbidden: names of actions, masked out and played as `wait`; may be set between two steps.
    privileged: whether `info` holds the truth for trainers, see `hidden_info`.
    trace_edges: whether observations have what the spans show; slower.
    objects: whether `observations()` gives what each agent would get over the API.
    render_mode: None, or "rgb_array" for a picture of the last observation of each environment.

    Raises UnknownName and InvalidValue, which name the argument and the valid values.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - Gymnasium's way
        "autoreset_mode": AutoresetMode.NEXT_STEP,
        "render_modes": [RGB_ARRAY],
        "render_fps": 4,
    }

    def __init__(
        self,
        num_envs: int = 1,
        tier: str = Tier.EASY,
        simulator_of: str | Parameters = "process",
        engine: str | None = None,
        *,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        if num_envs < 1:
            raise InvalidValue("num_envs", num_envs, "a whole number from 1")
        self.num_envs = num_envs
        self.render_mode = parse_render_mode(render_mode, self.metadata["render_modes"])
        asked = LearnerOptions(**options)
        mode = parse_autoreset_mode(asked.autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": mode}
        self._shares = parse_shares(tier, asked.tiers)
        self._coding, self._forbidden = coding_of(asked.actions), Forbidden(asked.forbidden)
        self._engine = make_engine(engine, simulator_of, num_envs, keeps_calls=asked.trace_edges)
        self._spans = SpanDraws(self._engine) if asked.trace_edges else None
        self._observations = LaneObservations(self._engine) if asked.objects else None
        self.single_observation_space = observation_space(trace_edges=asked.trace_edges)
        self.single_action_space = self._coding.space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._pairs = np.zeros((num_envs, 2), np.int64)
        self._tiers = None if asked.tiers is None else np.zeros(num_envs, np.int64)
        self._privileged = asked.privileged
        # Flags: a step of one environment takes 10 us, so that idle calls would show.
        self._watches = asked.trace_edges or asked.objects
        self._same_step = mode is AutoresetMode.SAME_STEP
        self._queue: EpisodeQueue | None = None

    @property
    def forbidden(self) -> Collection[ActionName]:
        """Actions that a curriculum takes away: set it to names, () for none."""
        return self._forbidden.names

    @forbidden.setter
    def forbidden(self, names: Iterable[str]) -> None:
        self._forbidden = Forbidden(names)

    def reset(
        self, *, seed: Seed = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins a new episode in every environment; see Seeding. Raises InvalidValue."""
        staggered = parse_staggered(options)
        seeds = first_seeds(seed, self.num_envs, self.np_random)
        super().reset(seed=int(seed) if isinstance(seed, int | np.integer) else None)
        self._queue = queue = EpisodeQueue(self._shares, seeds, self.num_envs)
        out = self._observed(self._engine.begin(queue))
        if staggered:
            out = self._stagger(queue)
        return self._rows_and_info(out)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """`actions`: (num_envs, 2), or (num_envs,) flat ones. `terminated` is true at an episode's
        end, `truncated` never.

        Raises InvalidValue for an action out of range, or before the first reset.
        """
        if self._queue is None:
            raise InvalidValue("step", "before reset", "called after reset")
        pairs = self._coding.pairs(actions, self.num_envs)
        self._pairs[:] = self._forbidden.as_wait(pairs) if self._forbidden.names else pairs
        out = self._engine.step(self._pairs, self._queue)
        if self._watches:
            out = self._observed(out)
        rows, info = self._rows_and_info(out)
        if self._same_step and out.done.any():
            rows, info = self._begin_in_same_step(self._queue, out, info)
        return rows, out.rewards, out.done, np.zeros(self.num_envs, np.bool_), info

    def render(self) -> tuple[Any, ...] | None:
        """A picture of each environment, (height, width, 3) uint8; None without a render mode."""
        if self.render_mode is None:
            return None
        return tuple(picture_of_rows([row]) for row in self._last_rows)

    def action_masks(self) -> Any:
        """(num_envs, actions) bool, or (num_envs, 5, 7): the last mask, as a method."""
        return self._last_masks.astype(np.bool_)

    def observations(self) -> list[SREObservation]:
        """What each agent would get over the API, for policies; with `objects=True` only.

        Complete with `trace_edges=True`; otherwise reading an edge raises MissingField.
        """
        if self._observations is None:
            raise InvalidValue("objects", False, "True, to read observations")
        return list(self._observations.of(range(self.num_envs)))

    def _observed(self, out: StepOutput, lanes: Any = None) -> StepOutput:
        """`out`, of some lanes or all, with what the spans show."""
        edges = None if self._spans is None else self._spans.after_window(lanes)
        if self._observations is not None:
            self._observations.after_window(edges, lanes)
        if edges is None:
            return out
        return out._replace(features=np.concatenate([out.features, edges.features()], axis=1))

    def _rows_and_info(self, out: StepOutput) -> tuple[Any, dict[str, Any]]:
        if self._forbidden.names:
            self._forbidden.mask_out(out.action_masks)
        masks = self._coding.mask(out.action_masks)
        self._last_rows, self._last_masks = out.features, masks
        info = {"action_mask": masks}
        if self._tiers is not None and self._queue is not None:
            begun = np.flatnonzero(out.features[:, STEP_FEATURE] == 0.0)
            if len(begun):
                seeds = self._engine.keys[begun, layout.SEED]
                self._tiers[begun] = self._queue.tiers_of(seeds)
            info["tier"] = self._tiers.copy()
        if self._privileged:
            info |= hidden_info(self._engine)
        return out.features, info

    def _begin_in_same_step(
        self, queue: EpisodeQueue, out: StepOutput, info: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Begins the next episodes of lanes that are done; what came last is in `info`."""
        ended, flags = np.flatnonzero(out.done), out.done.copy()
        final_obs = np.full(self.num_envs, None, object)
        for lane in ended:
            final_obs[lane] = out.features[lane].copy()
        final_info = {name: values.copy() for name, values in info.items()}
        final_info |= {f"_{name}": flags for name in info}
        begun = self._observed(self._engine.begin(queue, ended), ended)
        out.features[ended], out.action_masks[ended] = begun.features, begun.action_masks
        rows, info = self._rows_and_info(out)
        final = {"final_obs": final_obs, "final_info": final_info}
        return rows, info | final | {f"_{name}": flags for name in final}

    def _stagger(self, queue: EpisodeQueue) -> StepOutput:
        """Lets MAX_STEPS - 1 windows pass, in which lane after lane begins its episode again."""
        begins_at = (np.arange(self.num_envs) * MAX_STEPS) // self.num_envs
        self._pairs[:] = (layout.WAIT, 0)
        for step in range(1, MAX_STEPS):
            out = self._observed(self._engine.step(self._pairs, queue))
            lanes = np.flatnonzero(begins_at == step)
            if len(lanes):
                queue.put_back(lanes)
                begun = self._observed(self._engine.begin(queue, lanes), lanes)
                for rows, rows_of_begun in zip(out, begun, strict=True):
                    rows[lanes] = rows_of_begun
        if self._tiers is not None:
            self._tiers[:] = queue.tiers_of(self._engine.keys[:, layout.SEED])
        return out
