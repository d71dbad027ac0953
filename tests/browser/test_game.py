"""A game day at the console: a hidden incident, notes, and the board of who played it."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from chaos.tiers import draw_faults
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import Tier
from tests.browser.desk import at_step, play_by_client, play_to_the_end, press

pytestmark = pytest.mark.browser
TIER, SEED, PLAYER = Tier.EASY, 3, "=Ada"
NOTE = "orders look late"


@pytest.fixture
def game(page: Any, url: str) -> Any:
    """The page of a player who followed the link, at step 0."""
    page.click("#game-open")
    page.select_option("#game-tier", TIER)
    page.fill("#game-seed", str(SEED))
    page.click("#game-make button")
    link = page.locator("#game-link a").get_attribute("href")
    assert TIER not in link and f"{SEED}}}" not in link
    page.goto(f"{url}/web{link}")
    page.reload()
    page.wait_for_selector("html[data-ready]")
    page.fill("#player", PLAYER)
    page.click("#game-bar button")
    at_step(page, 0)
    return page


def test_tier_and_seed_are_hidden_until_the_end(game: Any) -> None:
    expect(game.locator("#begin")).to_be_hidden()
    expect(game.locator("#which")).to_have_text("Game day, tier and seed hidden")
    play_to_the_end(game)
    expect(game.locator("#which")).to_have_text(f"Tier {TIER}, seed {SEED}")


def test_a_note_stays_at_its_step(game: Any) -> None:
    game.fill("#note", NOTE)
    game.click("#pass")
    at_step(game, 1)
    expect(game.locator("#history li").first).to_contain_text(NOTE)
    expect(game.locator("#note")).to_have_value("")


def test_the_board_has_people_and_agents_and_is_exported(game: Any, url: str) -> None:
    play_by_client(url, SEED, tier=TIER, policy="agent")
    play_by_client(url, SEED + 1, tier=TIER, policy="elsewhere")
    (fault,) = draw_faults(TIER, SEED)
    press(game, str(1 + tuple(Service).index(fault.root)), "r")
    at_step(game, 1)
    play_to_the_end(game)
    game.click("#board-open")
    rows = game.locator("#board tbody tr")
    expect(rows).to_have_count(2)
    players = game.locator("#board tbody th").all_inner_texts()
    assert set(players) == {PLAYER, "agent"}
    scores = [
        float(text) for text in game.locator("#board tbody td:nth-child(2)").all_inner_texts()
    ]
    assert scores == sorted(scores, reverse=True)
    detected = game.locator("#board tbody td:nth-child(3)").all_inner_texts()
    assert dict(zip(players, detected, strict=True)) == {PLAYER: "1", "agent": "\N{EN DASH}"}
    exported = {}
    for kind in ("md", "csv"):
        with game.expect_download() as download:
            game.click(f"#board-{kind}")
        exported[kind] = Path(download.value.path()).read_text()
    assert len(exported["md"].splitlines()) == 4
    assert f"| {PLAYER} | " in exported["md"]
    assert f'"\'{PLAYER}"' in exported["csv"], "a spreadsheet takes it for a formula"
