"""Names and costs of actions, names of faults, tiers and releases, and the version of the world."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

WORLD_VERSION = "2"
"""Any change that affects scores raises it; scores of two versions are never compared."""

MAX_STEPS = 30
MAX_RESTARTS = 5
RECOVERY_WINDOWS = 3
"""An episode ends after this many windows in a row with every fault cured and every SLA met."""
ACTION_HISTORY_LENGTH = 5
MAX_LAG_STEPS = 2
"""Steps by which the telemetry of a service may be late."""
BREAKER_STEPS = 3
"""Steps for which a broken circuit stays open, the step of the action included."""
SCALE_UP_STEPS = 3
"""A standby started by scale_up at step t serves from the window of step t + SCALE_UP_STEPS."""
SESSION_LEASE_S = 300.0
IMPAIRMENT_TTL_S = 5.0


class ActionName(StrEnum):
    RESTART = "restart"
    SCALE_UP = "scale_up"
    CIRCUIT_BREAK = "circuit_break"
    ROLLBACK = "rollback"
    WAIT = "wait"


ACTION_COSTS: Mapping[ActionName, int] = MappingProxyType(
    {
        ActionName.RESTART: 1,
        ActionName.SCALE_UP: 2,
        ActionName.CIRCUIT_BREAK: 1,
        ActionName.ROLLBACK: 8,
        ActionName.WAIT: 0,
    }
)
"""Cost units of an accepted action. Every action with a cost is intrusive."""


class Tier(StrEnum):
    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"
    CONTROL = "control"
    EXPERT = "expert"


DEFAULT_TIERS = (Tier.EASY, Tier.MEDIUM, Tier.HARD)
FAULTY_TIERS = (*DEFAULT_TIERS, Tier.EXPERT)


SEED_SPLITS: Mapping[str, range] = MappingProxyType(
    {
        "train": range(100_000),
        "validation": range(100_000, 110_000),
        "test": range(200_000, 210_000),
    }
)
"""Never changed; seeds outside of them belong to no split."""


class FaultKind(StrEnum):
    NONE = "none"
    SINGLE_OOM = "single_oom"
    DB_CONNECTION_LEAK = "db_connection_leak"
    FLAPPING_NETWORK = "flapping_network"


class FlapCause(StrEnum):
    STALE_CONNECTION = "stale_connection"
    BAD_ROLLOUT = "bad_rollout"
    NOISY_NEIGHBOUR = "noisy_neighbour"


class Release(StrEnum):
    """Two releases of every service exist: the one that runs, and the last good one."""

    CURRENT = "current"
    LAST_GOOD = "last_good"


OOM_EXIT_CODE = 137
