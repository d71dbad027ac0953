"""Cores become a quota and a period that the kernel takes."""

import pytest

from orchestrator.broker.cpu_quota import LEAST_QUOTA_US, LONGEST_PERIOD_US, CpuQuota
from sre_autopilot.world.stack import CPU_PERIOD_US


@pytest.mark.parametrize(
    ("cores", "quota"),
    [
        (2.0, (2 * CPU_PERIOD_US, CPU_PERIOD_US)),
        (0.25, (CPU_PERIOD_US // 4, CPU_PERIOD_US)),
        (0.01, (LEAST_QUOTA_US, CPU_PERIOD_US)),
        (0.005, (LEAST_QUOTA_US, 2 * CPU_PERIOD_US)),
        (0.00025, (LEAST_QUOTA_US, LONGEST_PERIOD_US)),
    ],
)
def test_few_cores_are_the_least_quota_in_a_longer_period(
    cores: float, quota: tuple[int, int]
) -> None:
    assert CpuQuota.of(cores) == quota
