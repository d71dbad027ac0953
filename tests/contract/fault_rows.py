"""The table of faults, row by row: symptoms, cures, and actions that look like cures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from chaos.fault import Fault
from chaos.faults.db_connection_leak import DbConnectionLeak
from chaos.faults.flap import Flap
from chaos.faults.flapping_network import FlappingNetwork
from chaos.faults.single_oom import SingleOom
from sre_autopilot.world.draws import Stream, uniform
from sre_autopilot.world.shapes import OOM_RESTART_CURES
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, FlapCause
from tests.contract.played_episode import PlayedEpisode, Script

GATEWAY, AUTH, PRODUCT = Service.API_GATEWAY, Service.AUTH_SERVICE, Service.PRODUCT_SERVICE
ORDER, USERS_DB, ITEMS_DB = Service.ORDER_SERVICE, Service.USER_DB, Service.INVENTORY_DB
PAYMENT = Service.PAYMENT_GATEWAY
RESTART, SCALE_UP = ActionName.RESTART, ActionName.SCALE_UP
BREAK, ROLLBACK = ActionName.CIRCUIT_BREAK, ActionName.ROLLBACK

OOM = SingleOom(AUTH, 38.0)
OWN_LEAK = DbConnectionLeak(USERS_DB, USERS_DB, 5.0)
CALLERS_LEAK = DbConnectionLeak(ITEMS_DB, PRODUCT, 5.0)
FLAP = Flap(loss_share=0.8, period_steps=4, burst_steps=2, phase_steps=0)
STARVED = Flap(loss_share=0.6, period_steps=5, burst_steps=3, phase_steps=0)
STALE = FlappingNetwork(FlapCause.STALE_CONNECTION, FLAP)
# Of two replicas the silent one gets half of half a dozen calls: so quiet a fault as STALE would
# show nothing in three bursts, one time in twenty.
LOUD_STALE = FlappingNetwork(
    FlapCause.STALE_CONNECTION,
    Flap(loss_share=1.0, period_steps=4, burst_steps=3, phase_steps=0),
)
ROLLOUT = FlappingNetwork(FlapCause.BAD_ROLLOUT, FLAP)
NEIGHBOUR = FlappingNetwork(FlapCause.NOISY_NEIGHBOUR, STARVED, 2.5)


def seed_whose_restart(step: int, *, cures: bool) -> int:
    """A seed whose draw says whether a restart of AUTH at `step` cures its memory leak."""
    index = list(Service).index(AUTH)
    return next(
        seed
        for seed in range(200_000, 200_100)
        if (uniform(seed, Stream.CURE, step, index) < OOM_RESTART_CURES) is cures
    )


def down_at(flap: Flap, first: int = 1) -> int:
    """The first step from `first` on at which the flap loses calls."""
    return next(step for step in range(first, MAX_STEPS) if flap.down(step))


def up_at(flap: Flap, first: int = 1) -> int:
    """The first step from `first` on at which the flap loses no call."""
    return next(step for step in range(first, MAX_STEPS) if not flap.down(step))


def check_memory_saw(episode: PlayedEpisode) -> None:
    """Memory climbs by some 27 points a step until the process dies, again and again."""
    memory = episode.memory_pct(AUTH)
    deaths = [step for step, value in enumerate(memory) if value is None]
    assert len(deaths) >= 2
    assert all(2 <= later - sooner <= 6 for sooner, later in pairwise(deaths))
    climbs = [after - before for before, after in pairwise(memory) if before and after]
    assert all(20.0 < climb < 35.0 for climb in climbs if climb > 0.0)
    assert all(episode.errors(AUTH)[step] > 0.5 for step in deaths[:-1])


def check_holder_grows(episode: PlayedEpisode) -> None:
    """The caller that leaks keeps what it holds in memory; the other caller does not grow."""

    def growth(service: Service) -> float:
        first, later = episode.memory_pct(service)[0], episode.memory_pct(service)[8]
        assert first is not None and later is not None
        return later - first

    assert growth(PRODUCT) > 10.0
    assert growth(ORDER) < 5.0


def check_neighbour_burns_cpu(episode: PlayedEpisode) -> None:
    """The loss comes with CPU: the highest window of a burst is above all windows between."""
    by_step = {step: cpu or 0.0 for step, cpu in enumerate(episode.cpu_pct(PAYMENT)) if step}
    in_bursts = [cpu for step, cpu in by_step.items() if STARVED.down(step)]
    between = [cpu for step, cpu in by_step.items() if not STARVED.down(step)]
    assert max(in_bursts) > max(between)


def no_further_check(_episode: PlayedEpisode) -> None:
    """The row shows what every fault shows, and no more."""


@dataclass(frozen=True)
class Symptom:
    """Where a fault that is left alone shows, and what else it shows there."""

    fault: Fault
    visible_at: Service
    check: Callable[[PlayedEpisode], None] = no_further_check


@dataclass(frozen=True)
class Cure:
    """A script that cures the fault, at step `cured_at`."""

    fault: Fault
    script: Script
    cured_at: int


@dataclass(frozen=True)
class Trap:
    """A script that looks like a cure; the fault comes back where it showed."""

    fault: Fault
    visible_at: Service
    script: Script


SYMPTOMS = {
    "single_oom": Symptom(OOM, AUTH, check_memory_saw),
    "db_connection_leak, its own": Symptom(OWN_LEAK, USERS_DB),
    "db_connection_leak, a caller's": Symptom(CALLERS_LEAK, ITEMS_DB, check_holder_grows),
    "stale_connection": Symptom(STALE, PAYMENT),
    "bad_rollout": Symptom(ROLLOUT, PAYMENT),
    "noisy_neighbour": Symptom(NEIGHBOUR, PAYMENT, check_neighbour_burns_cpu),
}
CURES = {
    "single_oom, restart": Cure(OOM, {3: (RESTART, AUTH)}, 3),
    "single_oom, rollback": Cure(OOM, {3: (ROLLBACK, AUTH)}, 3),
    "own leak, restart": Cure(OWN_LEAK, {4: (RESTART, USERS_DB)}, 4),
    "own leak, rollback": Cure(OWN_LEAK, {4: (ROLLBACK, USERS_DB)}, 4),
    "caller's leak, restart": Cure(CALLERS_LEAK, {5: (RESTART, PRODUCT)}, 5),
    "caller's leak, rollback": Cure(CALLERS_LEAK, {5: (ROLLBACK, PRODUCT)}, 5),
    "stale_connection, restart while down": Cure(
        STALE, {down_at(FLAP, 3): (RESTART, PAYMENT)}, down_at(FLAP, 3)
    ),
    "stale_connection, drain then restart": Cure(
        STALE, {1: (BREAK, PAYMENT), 3: (RESTART, PAYMENT)}, 3
    ),
    "stale_connection, rollback": Cure(STALE, {3: (ROLLBACK, PAYMENT)}, 3),
    "bad_rollout, rollback": Cure(ROLLOUT, {3: (ROLLBACK, PAYMENT)}, 3),
    "noisy_neighbour, scale_up": Cure(NEIGHBOUR, {1: (SCALE_UP, PAYMENT)}, 4),
    "noisy_neighbour, rollback": Cure(NEIGHBOUR, {2: (ROLLBACK, PAYMENT)}, 2),
}
TRAPS = {
    "single_oom, scale_up": Trap(OOM, AUTH, {1: (SCALE_UP, AUTH)}),
    "single_oom, restarting a caller": Trap(OOM, AUTH, {2: (RESTART, GATEWAY)}),
    "single_oom, circuit_break": Trap(OOM, AUTH, {2: (BREAK, AUTH)}),
    "own leak, restarting a caller": Trap(OWN_LEAK, USERS_DB, {4: (RESTART, AUTH)}),
    "own leak, scale_up": Trap(OWN_LEAK, USERS_DB, {1: (SCALE_UP, USERS_DB)}),
    "own leak, restarting the gateway": Trap(OWN_LEAK, USERS_DB, {4: (RESTART, GATEWAY)}),
    "own leak, circuit_break": Trap(OWN_LEAK, USERS_DB, {4: (BREAK, USERS_DB)}),
    "caller's leak, restarting the database": Trap(
        CALLERS_LEAK, ITEMS_DB, {5: (RESTART, ITEMS_DB)}
    ),
    "caller's leak, rolling back the database": Trap(
        CALLERS_LEAK, ITEMS_DB, {5: (ROLLBACK, ITEMS_DB)}
    ),
    "caller's leak, restarting the other caller": Trap(
        CALLERS_LEAK, ITEMS_DB, {5: (RESTART, ORDER)}
    ),
    "stale_connection, restart while up": Trap(
        STALE, PAYMENT, {up_at(FLAP, 2): (RESTART, PAYMENT)}
    ),
    "stale_connection, scale_up": Trap(LOUD_STALE, PAYMENT, {1: (SCALE_UP, PAYMENT)}),
    "bad_rollout, restart": Trap(ROLLOUT, PAYMENT, {down_at(FLAP): (RESTART, PAYMENT)}),
    "bad_rollout, scale_up": Trap(ROLLOUT, PAYMENT, {1: (SCALE_UP, PAYMENT)}),
    "bad_rollout, circuit_break": Trap(ROLLOUT, PAYMENT, {2: (BREAK, PAYMENT)}),
    "noisy_neighbour, restart": Trap(NEIGHBOUR, PAYMENT, {2: (RESTART, PAYMENT)}),
    "noisy_neighbour, circuit_break": Trap(NEIGHBOUR, PAYMENT, {2: (BREAK, PAYMENT)}),
}

QUICK_CURES = {"single_oom, restart", "bad_rollout, rollback", "noisy_neighbour, scale_up"}
"""One cure an action: on processes these are played by the quick suite."""


def rows(table: Mapping[str, Any], quick: set[str] | None = None) -> list[Any]:
    """Parameters for pytest, the quick ones marked (None marks all)."""
    marks: tuple[pytest.MarkDecorator, ...] = (pytest.mark.quick,)
    return [
        pytest.param(row, id=name, marks=marks if quick is None or name in quick else ())
        for name, row in table.items()
    ]
