"""The table after a step and the summary at the end say what the record says, in 80 columns."""

import pytest

from sre_autopilot import grading
from sre_autopilot.cli.screen import episode_summary, screen, spell
from sre_autopilot.models import SREAction
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.sre_autopilot.cli.terminal import is_narrow, simulated, text_of


@pytest.fixture(scope="module")
def cured():
    return simulated("oracle", Tier.MEDIUM, 4)


@pytest.fixture(scope="module")
def uncured():
    screens = []
    record, score = simulated(
        ActionName.WAIT,
        Tier.MEDIUM,
        4,
        watch=lambda action, observation: screens.append(
            text_of(screen(Tier.MEDIUM, action, observation))
        ),
    )
    return record, score, screens


def test_screens_show_every_service(uncured):
    *_, screens = uncured
    assert all(service in text for service in Service for text in screens)
    assert all(map(is_narrow, screens))


def test_screens_show_which_services_miss_their_sla(uncured):
    *_, screens = uncured
    assert "broken" in screens[-1] and "met" in screens[-1]


def test_screens_name_step_and_last_action(uncured):
    *_, screens = uncured
    assert "the episode begins" in screens[0]
    assert f"step 30/30  {ActionName.WAIT}" in screens[-1]


def test_actions_are_spelt_with_their_service():
    restart = SREAction(action=ActionName.RESTART, service_id=Service.USER_DB)
    assert spell(restart) == f"{ActionName.RESTART} {Service.USER_DB}"
    assert spell(SREAction(action=ActionName.WAIT)) == ActionName.WAIT


def test_summary_names_fault_actions_cure_and_score(cured):
    record, score = cured
    text = text_of(episode_summary(record, score))
    (fault,) = record.faults
    assert f"broken     {fault.kind} at {fault.root}" in text
    assert "- the cure" in text
    assert f"recovered  at step {score.recovered_at}" in text
    assert f"score      {score.total:.3f}" in text
    assert "lost" not in text


def test_summary_of_an_uncured_episode_says_so(uncured):
    record, score, _screens = uncured
    text = text_of(episode_summary(record, score))
    assert "recovered  never" in text and "done       nothing" in text


def test_summary_of_a_control_episode_has_nothing_broken_and_no_recovery():
    record, score = simulated(ActionName.WAIT, Tier.CONTROL, 4)
    text = text_of(episode_summary(record, score))
    assert "broken    nothing" in text and "recovered" not in text


def test_summary_of_an_unfinished_episode_has_a_score_so_far(cured):
    record, score = cured
    early = record.model_copy(update={"finished": False})
    assert f"(so far {score.total:.3f})" in text_of(episode_summary(early, score))


def test_losses_are_explained_largest_first(uncured):
    record, score, _screens = uncured
    text = text_of(episode_summary(record, score, explain=True))
    assert all(f"-{points:.3f}" in text for points, _reason in score.reasons)
    largest, _ = max(score.reasons)
    assert f"lost       -{largest:.3f}" in text


def test_an_unfinished_episode_has_no_score(cured):
    record, _score = cured
    unfinished = record.model_copy(update={"finished": False, "steps": record.steps[:3]})
    text = text_of(episode_summary(unfinished, grading.grade(unfinished)))
    assert "none: the episode ended early, at step 2" in text


def test_long_lines_of_a_summary_wrap_beside_their_label(uncured):
    record, score, _screens = uncured
    lines = text_of(episode_summary(record, score, explain=True)).splitlines()
    assert is_narrow("\n".join(lines))
    assert all(line.startswith("  ") for line in lines[1:])
