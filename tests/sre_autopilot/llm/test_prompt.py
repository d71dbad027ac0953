"""The text of an observation: several windows for a single question, one for a conversation."""

import pytest

from sre_autopilot import make_env
from sre_autopilot.llm.prompt import (
    BY_JSON,
    BY_TOOL,
    EFFECTS,
    SYSTEM,
    TASK,
    tell,
    tell_window,
    tokens_of,
)
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, ActionName


@pytest.fixture(scope="module")
def windows():
    with make_env() as env:
        first = env.reset(seed=3, task_tier="medium")
        return [first, *(env.step({"action": ActionName.WAIT}) for _ in range(3))]


def test_the_task_names_every_action_once_with_cost_and_effect():
    for action in ActionName:
        assert TASK.count(f"{action} (cost {ACTION_COSTS[action]}), {EFFECTS[action]}") == 1
    assert f"{TASK}\n{BY_JSON}" == SYSTEM and BY_TOOL not in SYSTEM


def test_a_single_window_has_a_row_for_each_service_and_no_history(windows):
    rows = tell_window(windows[-1]).splitlines()
    assert len(rows) == 4 + len(Service)
    assert rows[0].startswith("step 3/") and "oldest first" not in rows[3]
    assert not any(row.startswith("done:") for row in rows)


def test_several_windows_stand_in_one_row_oldest_first(windows):
    text = tell(windows, ["1 restart(user_db)"], budget=10_000)
    assert "done: 1 restart(user_db)" in text and "oldest first" in text
    last = text.splitlines()[-1].partition(": ")[2]
    assert [len(values.split()) for values in last.split(", ")] == [len(windows)] * 4


def test_windows_are_left_out_until_the_budget_holds(windows):
    whole = tokens_of(tell(windows, [], budget=10_000))
    shorter = tell(windows, [], budget=whole - 1)
    assert tokens_of(shorter) < whole
    assert tell(windows, [], budget=0) == tell(windows[-1:], [], budget=0)


def test_a_service_that_misses_its_sla_is_marked(windows):
    for window in windows:
        for service, is_met in window.sla_status.items():
            assert (f"\n{service}!: " in tell_window(window)) is not is_met
