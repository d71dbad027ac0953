"""How many cores a container may use, as the kernel wants it said. Pure."""

from typing import NamedTuple, Self

from sre_autopilot.world.stack import CPU_PERIOD_US

LEAST_QUOTA_US = 1_000
LONGEST_PERIOD_US = 1_000_000
"""The kernel accepts no smaller quota and no longer period (Linux, sched-bwc.rst)."""


class CpuQuota(NamedTuple):
    """CPU time that a container may use in each period."""

    quota_us: int
    period_us: int

    @classmethod
    def of(cls, cores: float) -> Self:
        """In the ordinary period, or in a longer one where the least quota would be more.

        In the ordinary period it is enough to answer ten calls a second.
        """
        period_us = max(CPU_PERIOD_US, min(LONGEST_PERIOD_US, round(LEAST_QUOTA_US / cores)))
        return cls(max(LEAST_QUOTA_US, round(cores * period_us)), period_us)
