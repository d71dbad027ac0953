"""Each way to tamper with a record is refused by field, also where its hash and score agree."""

import json

import pytest

from tests.sre_autopilot.evaluation.submission.tampering import (
    RECORD,
    edit,
    edit_record,
    graded,
    refusal,
)


def scored_higher(lines):
    lines[-1]["score"] = 0.99


def windows_mended(lines):
    for line in lines[1:-1]:
        for service in line["true"].values():
            service["sla_met"] = True


def without_its_end(lines):
    return lines[:-1]


def twice(lines):
    return lines * 2


def another_seed(lines):
    lines[0]["seed"] += 7


def another_fault(lines):
    for line in (lines[0], lines[-1]):
        line["faults"][0]["root"] = "user_db"


def cured_earlier(lines):
    lines[-1]["faults"][0]["cured_at"] -= 1


def shorter(lines):
    lines[0]["max_steps"] = 10


def contended_but_valid(lines):
    for line in lines[1:-1]:
        line["contended"] = True


def of_another_policy(lines):
    lines[0]["policy"] = "runbook"


def with_a_key_of_its_own(lines):
    lines[0]["episode_key"] = 5


def contended_by_its_figures_alone(lines):
    lines[2]["host"] |= {"window_ms": 2000.0, "orchestrator_wait_ms": 1500.0}


def without_the_figures_of_its_host(lines):
    lines[2]["host"] = None


def one_action_less(lines):
    acted = next(line for line in lines[2:-1] if line["action"]["cures"])
    lines[-1]["faults"][0] |= {"cured_at": None, "cured_by": None}
    acted["action"] |= {"cures": [], "cure_step": None, "action": "wait", "service_id": None}


@pytest.mark.parametrize(
    ("change", "beginning"),
    [
        (scored_higher, "episodes.0.file: score"),
        (windows_mended, "episodes.0.file: score"),
        (without_its_end, "episodes.0.file: finished"),
        (twice, "episodes.0.file must be a record of one episode"),
        (another_seed, "episodes.0.file: seed"),
        (another_fault, "episodes.0.file: faults"),
        (cured_earlier, "episodes.0.file: faults.0.cured_at"),
        (shorter, "episodes.0.file: max_steps"),
        (contended_but_valid, "episodes.0.file: validity"),
        (of_another_policy, "episodes.0.file: policy"),
        (with_a_key_of_its_own, "episodes.0.file: episode_key"),
        (contended_by_its_figures_alone, "episodes.0.file: steps.1.contended"),
        (without_the_figures_of_its_host, "episodes.0.file: steps.1.contended"),
        (one_action_less, "episodes.0.file: score"),
        (lambda lines: [*lines[:1], {}, *lines[1:]], "episodes.0.file must be a record (line 2"),
    ],
)
def test_a_changed_record_with_its_hash_is_refused_by_field(folder, change, beginning):
    edit_record(folder, change)
    assert refusal(folder).startswith(beginning)


def test_windows_that_the_simulator_does_not_play_are_refused(folder, records):
    """Scores, hashes and means agree with the edited windows; the replay does not."""

    def mended(lines):
        windows_mended(lines)
        lines[-1]["score"] = graded("\n".join(map(json.dumps, lines)))

    edit_record(folder, mended)
    score = graded((folder / RECORD).read_text())
    mean = (score + records[1].score) / 2
    edit(folder, lambda said: said["episodes"][0].update(score=score))
    edit(folder, lambda said: said["scores"].update(easy=mean))
    assert refusal(folder).startswith("episodes.0.file: steps.1.true must be what the simulator")


def latency_edited(lines):
    lines[2]["true"]["user_db"]["latency_p99"] += 1.0


def observation_edited(lines):
    lines[3]["observed"]["metrics"]["user_db"]["cpu_pct"] = 12.5


@pytest.mark.parametrize(
    ("change", "field"), [(latency_edited, "1.true"), (observation_edited, "2.observed")]
)
def test_an_edit_that_leaves_the_score_is_refused(folder, change, field):
    edit_record(folder, change)
    assert refusal(folder).startswith(f"episodes.0.file: steps.{field} must be what the simulator")


def of_a_real_mesh(folder, count):
    """The submission as one of processes, whose windows nobody can play again, cut to `count`."""

    def cut(lines):
        lines[0]["backend"] = "process"
        del lines[1 + count : -1]
        cured_at = lines[-1]["faults"][0]["cured_at"]
        if cured_at is not None and cured_at >= count:
            lines[-1]["faults"][0] |= {"cured_at": None, "cured_by": None}
        lines[-1]["score"] = graded("\n".join(map(json.dumps, lines)))

    edit_record(folder, cut)
    score = graded((folder / RECORD).read_text())
    edit(folder, lambda said: said.update(backend="process"))
    edit(folder, lambda said: said["episodes"][0].update(score=score))


def test_an_episode_that_was_cut_short_is_refused(folder, records):
    of_a_real_mesh(folder, len(records[0].steps) - 2)
    assert refusal(folder).startswith("episodes.0.file: steps must be up to the end")
