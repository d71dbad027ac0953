"""A replay is moved by keys and by time, and stays within its episode."""

from typing import Any

import pytest

from sre_autopilot.cli.keyboard import key_of
from sre_autopilot.cli.playback import SPEEDS, Key, Playback
from sre_autopilot.cli.replay import play_back

DURATIONS_S = [0.5, 0.5, 2.0, 0.5]


def after(playback, *keys):
    for key in keys:
        playback = playback.pressed(Key(key))
    return playback


def test_the_next_step_is_due_after_its_recorded_duration_at_the_speed():
    playback = Playback(DURATIONS_S, speed=4.0)
    assert playback.wait_s == 0.125
    assert playback.due().wait_s == 0.5
    assert Playback(DURATIONS_S, speed=0.0).wait_s is None
    assert Playback(DURATIONS_S, position=3).wait_s is None


@pytest.mark.parametrize(
    ("keys", "position", "is_paused"),
    [
        ("", 0, False),
        ("n", 1, True),
        ("nn", 2, True),
        ("nnp", 1, True),
        ("p", 0, True),
        ("nnnnnn", 3, True),
        ("G", 3, False),
        ("Gg", 0, False),
        (" ", 0, True),
        ("n ", 1, False),
    ],
)
def test_keys_step_pause_and_jump(keys, position, is_paused):
    playback = after(Playback(DURATIONS_S), *keys)
    assert (playback.position, playback.is_paused) == (position, is_paused)


def test_speed_keys_stay_within_the_speeds_there_are():
    assert after(Playback(DURATIONS_S), "+").speed == 2.0
    assert after(Playback(DURATIONS_S), *"+" * 20).speed == SPEEDS[-1]
    assert after(Playback(DURATIONS_S), *"-" * 20).speed == SPEEDS[0]
    assert after(Playback(DURATIONS_S, speed=0.0), "-").speed == 0.0
    assert after(Playback(DURATIONS_S, speed=0.0), "+").speed == SPEEDS[0]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("n", Key.NEXT),
        ("\x1b[C", Key.NEXT),
        ("\r", Key.NEXT),
        ("\x1b[D", Key.PREVIOUS),
        ("\x1b", Key.QUIT),
        ("q", Key.QUIT),
        ("x", None),
        ("\x1b[5~", None),
        ("nn", None),
    ],
)
def test_bytes_of_a_terminal_are_read_as_keys(text, key):
    assert key_of(text) is key


class Typist:
    """Presses keys at times; the clock goes on by what is waited for."""

    def __init__(self, *keys):
        self.now, self._keys = 100.0, list(keys)

    def clock(self):
        return self.now

    def next_key(self, timeout_s):
        due, text = self._keys[0]
        if timeout_s is not None and self.now + timeout_s <= due:
            self.now += timeout_s
            return None
        self.now = max(self.now, due)
        self._keys.pop(0)
        return text


def drawn(playback, typist):
    positions = []

    def draw(group: Any) -> None:
        positions.append((typist.now - 100.0, int(group.renderables[0])))

    play_back(
        playback,
        [str(position) for position in range(len(DURATIONS_S))],
        draw,
        typist.next_key,
        clock=typist.clock,
    )
    return positions


def test_a_replay_goes_at_the_pace_of_its_record_until_a_key_quits():
    typist = Typist((109.0, "q"))
    assert drawn(Playback(DURATIONS_S), typist) == [(0.0, 0), (0.5, 1), (2.5, 2), (3.0, 3)]


def test_a_key_that_means_nothing_does_not_put_off_the_next_step():
    typist = Typist((100.4, "x"), (109.0, "q"))
    assert drawn(Playback(DURATIONS_S), typist)[:3] == [(0.0, 0), (pytest.approx(0.4), 0), (0.5, 1)]


def test_a_paused_replay_waits_for_keys_alone():
    typist = Typist((100.1, " "), (150.0, "n"), (200.0, "q"))
    assert [position for _at, position in drawn(Playback(DURATIONS_S), typist)] == [0, 0, 1]
