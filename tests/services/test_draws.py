"""Chance inside a process."""

import statistics

import pytest

from services.runtime.draws import Draws, Purpose


def delays(draws: Draws, count: int = 500) -> list[float]:
    return [draws.delay_s(Purpose.STORAGE_DELAY, 8.0, 0.3) for _ in range(count)]


def test_the_same_seed_draws_the_same() -> None:
    assert delays(Draws(5)) == delays(Draws(5))
    assert delays(Draws(5)) != delays(Draws(6))


def test_reseeding_begins_anew() -> None:
    used = Draws(4)
    delays(used)
    used.reseed(5)
    assert delays(used) == delays(Draws(5))


def test_purposes_draw_independently() -> None:
    alone, mixed = Draws(5), Draws(5)
    for _ in range(10):
        mixed.happens(Purpose.DROP, 0.5)
    assert delays(alone) == delays(mixed)


def test_delays_are_log_normal_seconds() -> None:
    drawn = delays(Draws(1), 4000)
    assert min(drawn) > 0.0
    assert statistics.median(drawn) == pytest.approx(0.008, rel=0.05)
    tail = statistics.quantiles(drawn, n=100)[98]
    assert tail == pytest.approx(0.008 * 2.01, rel=0.1)  # exp(0.3 * 2.326)


def test_no_chance_takes_no_draw() -> None:
    with_questions, without = Draws(2), Draws(2)
    assert not any(with_questions.happens(Purpose.DROP, 0.0) for _ in range(5))
    follow = [with_questions.happens(Purpose.DROP, 0.5) for _ in range(50)]
    assert follow == [without.happens(Purpose.DROP, 0.5) for _ in range(50)]
