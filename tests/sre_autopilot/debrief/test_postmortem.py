"""Postmortems: figures from the record, and the same text in two formats."""

from html.parser import HTMLParser
from itertools import chain

import pytest

from sre_autopilot.debrief import document
from sre_autopilot.debrief.postmortem import postmortem
from sre_autopilot.debrief.report import debrief
from sre_autopilot.grading import grade
from sre_autopilot.world.topology import ENTRY
from sre_autopilot.world.vocabulary import ActionName, Tier


@pytest.fixture(scope="module")
def record(record_of):
    return record_of("heuristic", Tier.MEDIUM, 1)


@pytest.fixture(scope="module")
def made(record):
    return debrief(record, truth_futures=2, sighted_futures=2)


def test_losses_add_up_to_what_the_score_lacks(record):
    post = postmortem(record)
    assert post.score + sum(points for points, _ in post.losses) == pytest.approx(0.99)
    assert [points for points, _ in post.losses] == sorted(
        (points for points, _ in post.losses), reverse=True
    )


def test_an_action_on_the_cause_detects_it_and_recovery_ends_the_incident(record_of):
    record = record_of("oracle", Tier.MEDIUM, 1)
    post = postmortem(record)
    (fault,) = record.breakages
    assert post.detected is not None and post.detected.step == fault.cured_at
    assert post.recovered is not None
    assert post.recovered.step == grade(record).recovered_at
    ended = [step.ended_at for step in record.steps]
    assert post.recovered.after_s == pytest.approx(ended[post.recovered.step] - ended[0])


def test_an_incident_nobody_acts_on_is_never_detected(record_of):
    post = postmortem(record_of(ActionName.WAIT, Tier.MEDIUM, 1))
    assert post.detected is None and post.recovered is None


def test_an_episode_in_which_nothing_broke_has_no_fault_in_its_timeline(record_of):
    post = postmortem(record_of(ActionName.WAIT, Tier.CONTROL, 1))
    assert post.faults == ()
    assert not any("first symptom" in event.text for event in post.timeline)
    assert not any("begins" in event.text for event in post.timeline)


def test_impact_counts_windows_out_of_sla_and_calls_of_users(record):
    impact = postmortem(record).impact
    assert impact.failed == sum(step.true[ENTRY].failed for step in record.steps)
    assert impact.windows == len(record.steps) - 1
    for service, count in impact.windows_missed.items():
        assert count == sum(not step.true[service].sla_met for step in record.steps[1:])


def test_the_timeline_is_in_order_and_has_every_action_on_a_service(record):
    events = postmortem(record).timeline
    assert [event.step for event in events] == sorted(event.step for event in events)
    for step, action in record.interventions:
        named = f"{action.action} {action.service_id}"
        assert any(event.step == step and named in event.text for event in events)


def test_both_formats_have_the_same_words(record, made):
    post = postmortem(record)
    title, sections = document.title_of(record), document.sections(record, post, made)
    markdown = document.as_markdown(title, sections, "episode.png")
    page = document.as_html(title, sections, "episode.png")

    class Words(HTMLParser):
        def __init__(self):
            super().__init__()
            self.texts = []
            self.sources = []

        def handle_starttag(self, tag, attrs):
            self.sources += [value for name, value in attrs if name in ("src", "href")]

        def handle_data(self, data):
            self.texts.append(data)

    words = Words()
    words.feed(page)
    for section in sections:
        assert section.title in words.texts and f"## {section.title}\n" in markdown
        for text in (*section.paragraphs, *section.bullets, *chain(*section.table)):
            assert text in markdown
            assert str(text) in words.texts or not text
    assert words.sources == ["episode.png"]
    assert "](episode.png)" in markdown


def test_names_that_others_choose_do_not_break_the_page(record, made):
    hostile = record.model_copy(update={"policy": "<script>alert(1)</script>"})
    sections = document.sections(hostile, postmortem(hostile), made)
    assert "<script>" not in document.as_html(document.title_of(hostile), sections)


@pytest.mark.parametrize(
    ("title", "knowable"), [("What to do better", True), ("What could not be known yet", False)]
)
def test_advice_names_the_largest_regrets_first_and_parts_what_was_knowable(
    record, made, title, knowable
):
    advice = next(
        s for s in document.sections(record, postmortem(record), made) if s.title == title
    )
    steps = [step for step in made.steps if (step.knowable > step.not_knowable) is knowable]
    steps.sort(key=lambda step: -step.truth.regret.mean)
    named = [step for step in steps[: document.MOST_ADVICE] if step.truth.regret.mean >= 0.005]
    assert named
    for bullet, step in zip(advice.bullets, named, strict=True):
        assert bullet.startswith(f"Step {step.step}: ")


def test_only_an_incident_has_times(record_of, made):
    quiet = record_of(ActionName.WAIT, Tier.CONTROL, 1)
    summary, *_ = document.sections(quiet, postmortem(quiet), made)
    assert not any("Time to detect" in bullet for bullet in summary.bullets)
