"""Numbers in sentences say what the code says."""

import re

import pytest

from orchestrator import noise, reward
from orchestrator.backends.process import backend
from sre_autopilot import grading
from sre_autopilot.world import shapes, sla, stack, topology
from sre_autopilot.world import vocabulary as world
from sre_autopilot.world.topology import LIMITS, Journey, Service
from sre_autopilot.world.vocabulary import ActionName
from tests.docs.documents import document

SHARES = {journey: share * 100 for journey, share in topology.JOURNEY_SHARES.items()}
LAGS = [round(100 * (b - a)) for a, b in zip(
    [0.0, *(bound for bound, _ in noise.LAG_STEPS_BELOW)],
    [bound for bound, _ in noise.LAG_STEPS_BELOW],
    strict=False,
)]  # fmt: skip

SENTENCES = [
    ("README.md", r"has (\d+) steps to find", [world.MAX_STEPS]),
    ("README.md", r"half of them browse, (\d+) % log\s+in, (\d+) % check out",
     [SHARES[Journey.LOGIN], SHARES[Journey.CHECKOUT]]),
    ("README.md", r"p99 latency is at most (\d+) ms and at most (\d+) %",
     [sla.P99_LIMIT_MS, 100 * sla.ERROR_RATE_LIMIT]),
    ("README.md", r"over all (\d+) steps", [world.MAX_STEPS]),
    ("README.md", r"over the first (\d+) steps", [grading.SPEED_STEPS]),
    ("README.md", r"what is left of (\d+) cost units", [grading.BUDGET_UNITS]),
    ("README.md", r"cheap cure, ([\d.]+) by a `rollback`", [grading.ROLLBACK_VALUE]),
    ("README.md", r"ends at step (\d+)", [world.MAX_STEPS]),
    ("docs/world.md", r"at most (\d+) steps", [world.MAX_STEPS]),
    ("docs/world.md", r"wall-clock time: ([\d.]+) s on local processes, ([\d.]+) s on",
     [backend.STEP_SECONDS, stack.STEP_SECONDS]),
    ("docs/containers.md", r"A window is ([\d.]+) s", [stack.STEP_SECONDS]),
    ("docs/containers.md", r"`user_db-0` .* serves first \| (\d+) \|",
     [LIMITS[Service.USER_DB].memory_limit_mb + stack.RUNTIME_MEMORY_MB]),
    ("docs/world.md", r"end by themselves\s+after (\d+) s", [world.IMPAIRMENT_TTL_S]),
    ("docs/world.md", r"pool of (\d+) connections", [topology.POOL_SIZE]),
    ("docs/world.md", r"storage delay \(median (\d+) ms; (\d+) % more",
     [topology.STORAGE_DELAY_MEDIAN_MS, 100 * topology.STORAGE_CONTENTION]),
    ("docs/world.md", r"waits up to\s+(\d+) s", [topology.POOL_CHECKOUT_TIMEOUT_S]),
    ("docs/world.md", r"log-normal, median (\d+) ms", [topology.PROVIDER_DELAY_MEDIAN_MS]),
    ("docs/world.md", r"Poisson arrivals, (\d+) per second", [topology.ARRIVALS_PER_S]),
    ("docs/world.md", r"call after (\d+) ms, a user after (\d+) ms",
     [1000 * topology.CALL_TIMEOUT_S, 1000 * topology.USER_TIMEOUT_S]),
    ("docs/world.md", r"at most (\d+) replicas serve", [topology.MAX_REPLICAS]),
    ("docs/world.md", r"exit code (\d+)", [world.OOM_EXIT_CODE]),
    ("docs/world.md", r"p99 latency is at most (\d+) ms and the error rate at most (\d+) %",
     [sla.P99_LIMIT_MS, 100 * sla.ERROR_RATE_LIMIT]),
    ("docs/world.md", r"with at most (\d+) failed", [sla.FORGIVEN_FAILURES]),
    ("docs/world.md", r"loses (\d+) to (\d+) MiB", [*shapes.OOM_LEAK_MB_PER_STEP]),
    ("docs/world.md", r"probability ([\d.]+), drawn from", [shapes.OOM_RESTART_CURES]),
    ("docs/world.md", r"in (\d+) % of the episodes the database holds",
     [100 * shapes.LEAK_HELD_BY_DATABASE]),
    ("docs/world.md", r"grows by (\d+) MiB a step", [shapes.LEAK_HOLDER_MEMORY_MB_PER_STEP]),
    ("docs/world.md", r"floor\((\d+) \* \(age", [topology.POOL_SIZE]),
    ("docs/world.md", r"fill_steps drawn from (\d+) to (\d+)", [*shapes.LEAK_FILL_STEPS]),
    ("docs/world.md", r"part of every ([\d.]+) s", [shapes.STALL_CYCLE_S]),
    ("docs/world.md", r"up to (\d+) times what a healthy one",
     [shapes.FLAP_SHAPES[world.FlapCause.NOISY_NEIGHBOUR].cpu_factor[1]]),
    ("docs/world.md", r"(\d+) % of its\s+episodes have two", [100 * shapes.PAIR_SHARE]),
    ("docs/world.md", r"fallback for (\d+) steps", [world.BREAKER_STEPS]),
    ("docs/world.md", r"times N\(1, ([\d.]+)\)", [noise.LATENCY_NOISE_RATIO]),
    ("docs/world.md", r"plus N\(0, ([\d.]+)\)", [noise.ERROR_RATE_NOISE]),
    ("docs/world.md", r"plus N\(0, (\d+) points\)", [noise.PERCENT_NOISE]),
    ("docs/world.md", r"metric value \| lost with probability ([\d.]+)", [noise.METRIC_LOSS_RATIO]),
    ("docs/world.md", r"every span \| lost with probability ([\d.]+)", [noise.SPAN_LOSS_RATIO]),
    ("docs/world.md", r"0, 1 or 2 steps \((\d+), (\d+), (\d+) %\)", LAGS),
    ("docs/world.md", r"action cost / (\d+)", [reward.COST_SCALE]),
    ("docs/world.md", r"error rate of ([\d.]+) or more \+ (\d+) when the last (\d+) verdicts",
     [reward.DOWN_ERROR_RATE, reward.RESOLUTION_BONUS, world.RECOVERY_WINDOWS]),
    ("docs/world.md", r"mean over (\d+) steps", [world.MAX_STEPS]),
    ("docs/world.md", r"1 - recovered_at / (\d+)", [grading.SPEED_STEPS]),
    ("docs/world.md", r"first of the (\d+) windows", [world.RECOVERY_WINDOWS]),
    ("docs/world.md", r"1 - cost / (\d+), not below 0\) times \(([\d.]+) \+ ([\d.]+) times",
     [grading.BUDGET_UNITS, 1 - grading.UNCURED_PENALTY, grading.UNCURED_PENALTY]),
    ("docs/world.md", r"cheap cure\), ([\d.]+) \(by a `rollback`", [grading.ROLLBACK_VALUE]),
    ("docs/world.md", r"minus ([\d.]+) for each intervention on\s+a service",
     [grading.WRONG_SERVICE_PENALTY]),
    ("docs/world.md", r"minus ([\d.]+) for each on a root that did not help",
     [grading.INEFFECTIVE_PENALTY]),
    ("docs/world.md", r"restart that failed its ([\d.]+)", [shapes.OOM_RESTART_CURES]),
    ("docs/world.md", r"1 minus ([\d.]+) for each intervention", [grading.NEEDLESS_PENALTY]),
    ("docs/world.md", r"met for (\d+) windows in a row", [world.RECOVERY_WINDOWS]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sentence", "values"), SENTENCES, ids=lambda part: str(part)[:40])
def test_a_sentence_has_the_numbers_of_the_code(name, sentence, values) -> None:
    found = re.findall(sentence, document(name).text)
    assert found, "the sentence is gone: change it here too"
    for numbers in found:
        told = [numbers] if isinstance(numbers, str) else numbers
        assert [float(number) for number in told] == pytest.approx(values)


def test_words_that_are_numbers() -> None:
    """Numbers that prose spells out."""
    text = document("README.md").text
    assert topology.ARRIVALS_PER_S == 32 and "Thirty-two users a second" in text
    assert SHARES[Journey.BROWSE] == 50 and "half of them browse" in text
    assert sla.FORGIVEN_FAILURES == 1 and "One failed call alone breaks nothing" in text
    assert world.MAX_RESTARTS == 5 and "has five restarts" in text
    assert world.ACTION_HISTORY_LENGTH == 5 and "the last five actions" in text
    assert world.RECOVERY_WINDOWS == 3 and "for three windows running" in text
    assert noise.METRIC_LOSS_RATIO == 1 / 20 and "one in twenty is lost" in text
    assert noise.SPAN_LOSS_RATIO == 1 / 10 and "one span in ten is lost" in text
    assert len(world.DEFAULT_TIERS) == 3 and "play three incidents" in text
    assert (
        world.SCALE_UP_STEPS == 3 and "from the third step after" in document("docs/world.md").text
    )
    assert world.ACTION_COSTS[ActionName.WAIT] == 0 and "`wait` and costs nothing" in text
