"""The calibration of the rule of validity: hogs that burn and end, rows, shares and limits."""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from orchestrator.environment import Environment
from orchestrator.errors import BackendError
from sre_autopilot.evaluation.validity import play, report
from sre_autopilot.evaluation.validity.cpu_hogs import BUSY_LOOP, cpu_hogs
from sre_autopilot.evaluation.validity.rows import CalibrationWindow, read_windows
from sre_autopilot.grading import HostFigures
from sre_autopilot.grading.validity import RUN_QUEUE_LIMIT
from sre_autopilot.world.vocabulary import Tier
from tests.busy_simulator import BusySimulator
from tests.sre_autopilot.cli.terminal import invoke, is_narrow, text_of
from tests.watched_simulator import WatchedSimulator

quiet_progress = partial(Progress, console=Console(quiet=True))


def window(
    wait: float = 0.1, *, hogs: int = 0, missed: int = 0, tier: Tier = Tier.CONTROL
) -> CalibrationWindow:
    waits = {"users": 0.0, "user_db-0": 500.0 * wait}
    host = HostFigures(window_ms=500.0, run_queue_wait_ms=waits)
    return CalibrationWindow(hogs=hogs, tier=tier, seed=1, step=1, missed=missed, host=host)


def is_contended(one: CalibrationWindow) -> bool:
    return one.contended


QUIET = [window(0.2)] * 99 + [window(0.32)]
BUSY = [window(0.9, hogs=2, missed=1)] * 19 + [window(0.36, hogs=2, missed=1), window(0.3, hogs=2)]


def burnt_s(pid: int) -> float:
    """CPU time of a process, from the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_hogs_burn_until_the_context_ends() -> None:
    with cpu_hogs(2) as hogs:
        deadline = time.monotonic() + 20.0
        while not all(burnt_s(hog.pid) > 0.02 for hog in hogs):
            assert time.monotonic() < deadline, "the hogs are idle"
    assert len(hogs) == 2
    assert all(hog.returncode is not None for hog in hogs)


def test_a_hog_ends_with_its_parent() -> None:
    hog = subprocess.Popen((sys.executable, "-c", BUSY_LOOP, "0"))
    assert hog.wait(20.0) == 0, "0 is no parent of it"


def test_hogs_take_turns_and_faults_play_without_them() -> None:
    todo = list(play.episodes([0, 4], 2, 7))
    control = [(one.hogs, one.seed) for one in todo if one.tier is Tier.CONTROL]
    assert control == [(0, 7), (4, 7), (0, 8), (4, 8)]
    others = [one for one in todo if one.tier is not Tier.CONTROL]
    assert {one.tier for one in others} == set(Tier) - {Tier.CONTROL}
    assert {(one.hogs, one.seed) for one in others} == {(0, 7)}


def test_windows_are_kept_and_read_back(tmp_path: Path) -> None:
    out = tmp_path / "windows.jsonl"
    todo = [play.CalibrationEpisode(0, Tier.CONTROL, seed) for seed in (1, 2)]
    with quiet_progress() as progress:
        play.play_all(todo, partial(Environment, BusySimulator), out, progress, steps=3)
    windows = read_windows(out)
    assert [(w.seed, w.step) for w in windows] == [(s, n) for s in (1, 2) for n in (1, 2, 3)]
    assert all(w.contended for w in windows)


def test_an_episode_that_fails_is_left_out(tmp_path: Path) -> None:
    class Failing(WatchedSimulator):
        async def launch(self, seed: int) -> None:
            if seed == 1:
                raise BackendError("no mesh today")
            await super().launch(seed)

    out = tmp_path / "windows.jsonl"
    todo = [play.CalibrationEpisode(0, Tier.CONTROL, seed) for seed in (1, 2)]
    with quiet_progress() as progress:
        play.play_all(todo, partial(Environment, Failing), out, progress, steps=1)
    assert [w.seed for w in read_windows(out)] == [2]


def test_a_line_that_is_no_window_is_named(tmp_path: Path) -> None:
    out = tmp_path / "windows.jsonl"
    out.write_text(window().model_dump_json() + "\n{}\n")
    with pytest.raises(ValueError, match=r"windows\.jsonl, line 2: not a window"):
        read_windows(out)


def test_a_window_is_contended_by_its_longest_wait() -> None:
    assert window(0.39).worst_wait == pytest.approx(0.39)
    assert not window(RUN_QUEUE_LIMIT).contended
    assert window(RUN_QUEUE_LIMIT + 0.01).contended
    assert window(0.3).contended_at(0.25) and not window(0.3).contended_at(0.35)


def test_other_figures_call_a_window_contended_at_any_limit() -> None:
    late = HostFigures(window_ms=500.0, lateness_p99_ms=400.0)
    assert window().model_copy(update={"host": late}).contended_at(1.0)


def test_shares_are_of_misses_beside_hogs_and_of_quiet_windows() -> None:
    at = report.shares([*QUIET, *BUSY], lambda one: one.contended_at(0.4))
    assert (at.misses_called, at.quiet_called) == (0.95, 0.0)
    at = report.shares([*QUIET, *BUSY], lambda one: one.contended_at(0.3))
    assert (at.misses_called, at.quiet_called) == (1.0, 0.01)


def test_windows_of_faults_are_in_neither_share() -> None:
    faulty = [window(0.9, hogs=1, missed=7, tier=Tier.HARD), window(0.9, tier=Tier.EASY)] * 9
    assert report.shares([*QUIET, *BUSY, *faulty], is_contended) == report.shares(
        [*QUIET, *BUSY], is_contended
    )


def test_limits_that_meet_both_bounds_are_listed() -> None:
    limits = report.fitting_limits([*QUIET, *BUSY])
    assert (min(limits), max(limits)) == (0.2, 0.85)
    assert report.bounds_are_met([*QUIET, *BUSY])
    assert "limits from 0.20 to 0.85 meet both bounds" in report.summary([*QUIET, *BUSY])


def test_where_none_meets_both_bounds_that_is_said() -> None:
    windows = [window(0.9), *BUSY]
    assert not report.bounds_are_met(windows)
    assert "no limit meets both bounds" in report.summary(windows)


def test_where_no_window_misses_its_sla_more_busy_threads_are_advised() -> None:
    assert not report.bounds_are_met(QUIET)
    assert "--hogs 0,8" in report.summary(QUIET)


def test_tables_fit_in_80_columns() -> None:
    windows = [*QUIET, *BUSY, window(0.1, tier=Tier.HARD)]
    text = text_of(report.group_table(windows)) + text_of(report.limit_table(windows))
    assert is_narrow(text) and "control" in text and "hard" in text and "met" in text


def test_the_command_reports_a_file_and_says_whether_the_bounds_are_met(tmp_path: Path) -> None:
    for windows, status, words in (
        ([*QUIET, *BUSY], 0, "in use: 0.40"),
        (QUIET, 1, "--hogs 0,8"),
    ):
        out = tmp_path / f"{status}.jsonl"
        out.write_text("\n".join(w.model_dump_json() for w in windows) + "\n")
        result = invoke("dev", "calibrate-validity", "--only-report", "--out", out)
        assert result.exit_code == status, result.output
        assert words in result.stdout


def test_the_command_plays_what_it_is_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "windows.jsonl"
    words = ("--hogs", "0", "--episodes", 1, "--steps", 2, "--out", out)
    result = invoke("dev", "calibrate-validity", *words)
    assert result.exit_code == 1, "no window beside a hog"
    assert len(read_windows(out)) == 2 * len(Tier)


@pytest.mark.parametrize("hogs", ["", "two", "1,-1"])
def test_a_wrong_number_of_hogs_is_named(tmp_path: Path, hogs: str) -> None:
    out = tmp_path / "none.jsonl"
    result = invoke("dev", "calibrate-validity", "--hogs", hogs, "--out", out)
    assert result.exit_code == 2 and "--hogs" in result.stderr
    assert not out.exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    words = ("--only-report", "--out", tmp_path / "none.jsonl")
    result = invoke("dev", "calibrate-validity", *words)
    assert result.exit_code == 2 and "none.jsonl" in result.stderr
