"""When somebody is paged: the rules that Prometheus' alerts and the pager's feed have in common.

Lengths are in steps, so that they are the same shares of an episode on containers and on processes.
"""

from dataclasses import dataclass
from enum import StrEnum

from sre_autopilot.world.sla import ERROR_RATE_LIMIT
from sre_autopilot.world.vocabulary import MAX_STEPS


class Alert(StrEnum):
    """Prometheus' alerts; the pager's feed has the first two, which observations can decide."""

    ERROR_BUDGET_BURN = "ErrorBudgetBurn"
    SLA_BROKEN = "SlaBroken"
    OUT_OF_MEMORY_KILL = "OutOfMemoryKill"
    POOL_EXHAUSTED = "PoolExhausted"
    SERVICE_DOWN = "ServiceDown"
    PART_DOWN = "PartDown"


class Severity(StrEnum):
    """PAGE wakes somebody up, TICKET waits until somebody looks."""

    PAGE = "page"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class Burn:
    """Fires where `budget_share` of an episode's error budget would go within the long window.

    The SRE workbook (chapter 5) pages when 2 % of a month's budget are gone in 1 h, a 720th of
    the month: scaled to 45 s that is a sixteenth of a second and not one call. So the form is
    kept and the shares are larger: the burn rate is share * period / long window, as there, and
    the short window, which ends the alert soon after the errors end, is that of the other rules.
    """

    long_steps: int
    budget_share: float
    severity: Severity

    @property
    def rate(self) -> float:
        """How many times as fast as the SLA allows."""
        return self.budget_share * MAX_STEPS / self.long_steps

    @property
    def error_ratio(self) -> float:
        """Share of failed calls, 0..1, above which it fires, over both windows."""
        return self.rate * ERROR_RATE_LIMIT

    @property
    def summary(self) -> str:
        return f"Users lose calls at {self.rate:g} times the rate that the SLA allows, or more"


BURNS = (Burn(10, 1.0, Severity.PAGE), Burn(20, 2 / 3, Severity.TICKET))
"""A page at three times the rate that uses up an episode's budget, a ticket at that rate."""
SHORT_STEPS = 3
"""The short window of a burn: the 5 s over which Prometheus' rates are hold so many steps whole."""
SLA_HELD_STEPS = 2
"""So long a service is out of its SLA before anybody hears of it."""


def out_of_sla(service: str) -> str:
    """The summary of SLA_BROKEN."""
    return f"{service} is out of its SLA"
