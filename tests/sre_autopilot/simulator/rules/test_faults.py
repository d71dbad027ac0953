"""Array rules against fault objects: same impairments and same cures, whatever the actions."""

from functools import partial

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.fault import NO_IMPAIRMENTS
from chaos.tiers import draw_faults
from orchestrator.episode import Episode, Plan
from sre_autopilot.models import SREAction
from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.fault_table import encode_faults
from sre_autopilot.simulator.mesh import REPLICA_IDS
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.actions import apply_action
from sre_autopilot.simulator.rules.array_ops import Rows
from sre_autopilot.simulator.rules.faults import clear_faults
from sre_autopilot.simulator.rules.step import initial, observe
from sre_autopilot.simulator.rules.window_arrays import make_window_arrays
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, Tier

ONE = partial(Rows.zeros, lanes=1)
FITTED = parameters.load("process")
SERVICES, ACTIONS = tuple(Service), tuple(ActionName)
SEEDS = st.integers(0, 10**6)
AT_THE_ROOT = st.none()
ACTION_LISTS = st.lists(
    st.tuples(st.sampled_from(ActionName), AT_THE_ROOT | st.sampled_from(Service)),
    min_size=5,
    max_size=MAX_STEPS,
)


class Both:
    """One lane, and one episode of fault objects in which the same replicas are killed."""

    def __init__(self, tier: Tier, seed: int) -> None:
        faults = draw_faults(tier, seed)
        self.episode = Episode(Plan("same", seed, tier, faults, "simulator"))
        self.lane = layout.Lane(
            ONE(layout.KEY_COUNT, np.uint64), ONE(layout.FIELD_COUNT, np.float64)
        )
        self.arrays = make_window_arrays(FITTED, ONE)
        self.leaked_mb = dict.fromkeys(REPLICA_IDS, 0.0)
        clear_faults(self.arrays.condition)
        initial(self.lane, np.array([seed], np.uint64), Rows(encode_faults(faults)[:, None]))
        self._pass_window()

    def take(self, action: ActionName, service: Service) -> None:
        numbers = ([float(ACTIONS.index(action))], [float(SERVICES.index(service))])
        apply_action(self.lane, *map(np.array, numbers))
        self.episode.take(SREAction(action=action, service_id=service))
        self._pass_window()

    def _pass_window(self) -> None:
        deployment, step = self.episode.deployment, self.episode.step
        begun = {replica.id for replica in deployment if replica.started_at == step}
        for replica in begun:
            self.leaked_mb[replica] = 0.0
        observe(self.lane, self.arrays)
        self._compare_windows()
        killed = [
            replica
            for number, replica in enumerate(REPLICA_IDS)
            if self.arrays.measured.killed[number][0]
        ]
        self.leaked_mb |= dict.fromkeys(killed, 0.0)
        self.episode.end_window(killed)
        self._compare_ends()

    def _compare_windows(self) -> None:
        """What held in this window."""
        condition, by_replica, step = (
            self.arrays.condition,
            self.episode.impairments(),
            self.episode.step,
        )
        deployment = self.episode.deployment
        held = dict.fromkeys(map(str, REPLICA_IDS), 0)
        for replica, impaired in by_replica.items():
            self.leaked_mb[replica] += impaired.memory_leak_mb
            for pool, count in impaired.held_connections.items():
                held[pool] += count
        for number, replica in enumerate(REPLICA_IDS):
            expected = by_replica.get(replica, NO_IMPAIRMENTS)
            for name in ("partitioned", "drop_ratio", "cpu_fraction", "neighbour_cpu_pct"):
                assert getattr(condition, name)[number][0] == getattr(expected, name), (
                    step,
                    name,
                    replica,
                )
            assert condition.held_connections[number][0] == held[str(replica)], (step, replica)
            serving = {each.id for each in deployment.serving(replica.service, step)}
            assert (condition.in_rotation[number][0] > 0.0) == (replica in serving), (step, replica)
        for number, service in enumerate(Service):
            is_open = service in deployment.open_breakers(step)
            assert (condition.breaker_open[number][0] > 0.0) == is_open, (step, service)

    def _compare_ends(self) -> None:
        """What it leaves behind."""
        x, step = self.lane.x, self.episode.step
        running = {replica.id for replica in self.episode.deployment}
        for number, replica in enumerate(REPLICA_IDS):
            assert (x[layout.RUNNING + number][0] > 0.0) == (replica in running), (step, replica)
            if replica in running:
                assert x[layout.LEAKED_MB + number][0] == self.leaked_mb[replica], (step, replica)
        for number, record in enumerate(self.episode.fault_records):
            fault = layout.FAULT + layout.FAULT_WIDTH * number
            cured_at = layout.NEVER if record.cured_at is None else record.cured_at
            if x[fault + layout.KIND][0] != layout.NO_FAULT:
                assert x[fault + layout.CURED_AT][0] == cured_at, (step, record)


@settings(max_examples=60)
@given(st.sampled_from(Tier), SEEDS, ACTION_LISTS)
def test_lanes_and_fault_objects_agree_on_impairments_and_cures(tier, seed, actions):
    both = Both(tier, seed)
    root = both.episode.plan.faults[0].root or Service.PAYMENT_GATEWAY
    for action, service in actions:
        both.take(action, service or root)
