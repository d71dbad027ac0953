"""One simulated mesh, changed from outside: which replicas run, get traffic and are impaired.

Its windows are `rules.traffic.run_window` over arrays of one lane; actions and faults are the
episode's and `chaos.faults`' own objects, not the rules'. Decides nothing by itself but kills.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np

from chaos.fault import NO_IMPAIRMENTS, Impairments
from orchestrator.backends.base import Routing
from sre_autopilot.simulator.rules.array_ops import Rows
from sre_autopilot.simulator.rules.faults import clear_faults
from sre_autopilot.simulator.rules.traffic import run_window
from sre_autopilot.simulator.rules.window_arrays import Parameters, WindowArrays, make_window_arrays
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.draws import Stream, folded
from sre_autopilot.world.topology import MAX_REPLICAS, Service
from sre_autopilot.world.vocabulary import OOM_EXIT_CODE

SERVICE_INDEX = {service: index for index, service in enumerate(Service)}
REPLICA_IDS = tuple(ReplicaId(s, i) for s in Service for i in range(MAX_REPLICAS))
INDEX = {replica: index for index, replica in enumerate(REPLICA_IDS)}


class SimulatedMesh:
    """Replicas of one episode at a time; `launch` begins the next."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.seed = 0
        self.dead: dict[ReplicaId, int] = {}
        self._was_open = np.zeros((len(Service), 1))
        self._begin()

    def launch(self, seed: int) -> None:
        """Replica 0 of every service runs and serves; nothing is wrong."""
        self.seed = seed
        self._begin()

    def start(self, replica: ReplicaId, *, within_window: bool = True) -> None:
        """A process starts, with the memory of a fresh one and unimpaired.

        within_window: whether it starts inside the coming window, and so uses CPU for that.
        """
        r = INDEX[replica]
        self.dead.pop(replica, None)
        self._condition.running[r] = 1.0
        self._condition.started[r] = float(within_window)
        self._condition.leaked_mb[r] = 0.0
        self._condition.age[r] = 0.0
        self.impair(replica, NO_IMPAIRMENTS, self._next_step)

    def stop(self, replica: ReplicaId) -> None:
        """A process stops as ordered; connections that it held elsewhere are free again."""
        self.dead.pop(replica, None)
        self.impair(replica, NO_IMPAIRMENTS, self._next_step)
        self._condition.running[INDEX[replica]] = 0.0

    def runs(self, replica: ReplicaId) -> bool:
        return bool(self._condition.running[INDEX[replica]][0])

    def route(self, routing: Routing) -> None:
        self._condition.in_rotation[:] = 0.0
        for replicas in routing.endpoints.values():
            for replica in replicas:
                self._condition.in_rotation[INDEX[replica]] = 1.0
        for service, index in SERVICE_INDEX.items():
            self._condition.breaker_open[index] = float(service in routing.open_breakers)

    def impair(self, target: ReplicaId, impairments: Impairments, step: int) -> None:
        """Sets all impairments of `target`; memory leaks once a step, also if called again."""
        r, c = INDEX[target], self._condition
        c.partitioned[r] = impairments.partitioned
        c.drop_ratio[r] = impairments.drop_ratio
        c.cpu_fraction[r] = impairments.cpu_fraction
        c.neighbour_cpu_pct[r] = impairments.neighbour_cpu_pct
        if impairments.memory_leak_mb > 0.0 and self._leaked_at.get(target) != step:
            self._leaked_at[target] = step
            c.leaked_mb[r] += impairments.memory_leak_mb
        self._held_elsewhere[target] = impairments.held_connections
        c.held_connections[:] = 0.0
        for held in self._held_elsewhere.values():
            for pool, count in held.items():
                c.held_connections[_pool_index(pool)] += count

    def window(self, step: int) -> WindowArrays:
        """Runs one window. What was measured stands in the arrays until the next one."""
        window_key, start_key = (
            np.array([folded(self.seed, stream, step)], np.uint64)
            for stream in (Stream.SIMULATOR, Stream.PROCESS_START)
        )
        condition = self._condition
        condition.breaker_new[:] = np.maximum(0.0, condition.breaker_open[:] - self._was_open)
        self._was_open[:] = condition.breaker_open[:]
        run_window(window_key, start_key, self._arrays)
        for replica, index in INDEX.items():
            if self._arrays.measured.killed[index][0]:
                self.stop(replica)
                self.dead[replica] = OOM_EXIT_CODE
        condition.started[:] = 0.0
        condition.age[:] += 1.0
        self._next_step = step + 1
        return self._arrays

    def _begin(self) -> None:
        self._arrays = make_window_arrays(self.parameters, partial(Rows.zeros, lanes=1))
        self._condition = self._arrays.condition
        clear_faults(self._condition)
        self._was_open[:] = 0.0
        self._held_elsewhere: dict[ReplicaId, Mapping[str, int]] = {}
        self._leaked_at: dict[ReplicaId, int] = {}
        self._next_step = 0
        self.dead.clear()
        for replica in initial_deployment():
            self.start(replica.id, within_window=False)


def _pool_index(pool: str) -> int:
    return next(index for replica, index in INDEX.items() if str(replica) == pool)
