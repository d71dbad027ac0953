"""A judged server's secrets: stories behind seeds, keys of episodes, records that replay."""

import pytest

from chaos.faults.flapping_network import FlappingNetwork
from chaos.tiers import draw_faults
from orchestrator.environment import Environment
from orchestrator.secrecy import Secrecy
from orchestrator.settings import Mode, Settings
from orchestrator.validation import MAX_SEED
from sre_autopilot.models import SREAction
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.draws import visible_seed
from sre_autopilot.world.vocabulary import ActionName, FlapCause, Tier

SECRET = "long enough to be none's guess".replace(" ", "-")
SEEDS = range(600)


@pytest.fixture
def secrecy():
    return Secrecy(SECRET.encode())


def judged(secret: str | None = None) -> Settings:
    return Settings(mode=Mode.JUDGE, state_token="token", secret=secret)


def observations(environment, steps=3, **arguments):
    at_reset = environment.reset(task_tier=Tier.HARD, **arguments)
    wait = SREAction(action=ActionName.WAIT)
    return [
        o.model_dump_json() for o in (at_reset, *(environment.step(wait) for _ in range(steps)))
    ]


def test_develop_mode_has_no_secrecy():
    assert Secrecy.of(Settings()) is None


def test_a_secret_of_the_settings_is_used_and_else_each_server_has_its_own():
    assert Secrecy.of(judged(SECRET)) == Secrecy(SECRET.encode())
    assert Secrecy.of(judged()) != Secrecy.of(judged())


def test_a_secret_is_not_printed(secrecy):
    assert SECRET not in repr(secrecy) + repr(judged(SECRET)) + str(judged(SECRET))


def test_seeds_stand_for_stories_by_the_secret_the_tier_and_nothing_else(secrecy):
    seeds = {(tier, asked): secrecy.seed(tier, asked) for tier in Tier for asked in SEEDS}
    assert len(set(seeds.values())) == len(seeds)
    assert all(0 <= seed <= MAX_SEED for seed in seeds.values())
    assert seeds == {key: Secrecy(SECRET.encode()).seed(*key) for key in seeds}
    assert Secrecy(b"another").seed(Tier.HARD, 1) != secrecy.seed(Tier.HARD, 1)


def test_a_cause_says_nothing_of_its_neighbours(secrecy):
    """As drawn, of three seeds in a row each has a cause of its own; behind a secret, any."""

    def whole_blocks(seed_of):
        causes = [FlappingNetwork.draw(seed_of(asked)).cause for asked in SEEDS]
        blocks = [causes[i : i + 3] for i in range(0, len(causes), 3)]
        return sum(set(block) == set(FlapCause) for block in blocks) / len(blocks)

    assert whole_blocks(lambda asked: asked) == 1.0
    # Three free draws of three differ with a chance of 2 in 9; a standard error is .03.
    assert whole_blocks(lambda asked: secrecy.seed(Tier.HARD, asked)) == pytest.approx(
        2 / 9, abs=0.12
    )


def test_keys_are_fresh(secrecy):
    keys = {secrecy.episode_key() for _ in SEEDS}
    assert len(keys) == len(SEEDS)
    assert all(0 < key <= MAX_SEED for key in keys)


def test_without_a_key_the_seed_itself_is_visible_and_with_one_it_is_not():
    assert [visible_seed(seed, 0) for seed in SEEDS] == list(SEEDS)
    behind = {visible_seed(seed, key) for seed in SEEDS for key in (1, 2)}
    assert len(behind) == 2 * len(SEEDS)
    assert all(0 <= seed <= MAX_SEED for seed in behind)


def test_the_same_seed_is_the_same_story_seen_differently(secrecy):
    with Environment(SimulatorBackend, secrecy=secrecy) as environment:
        runs = [observations(environment, seed=7) for _ in range(2)]
        records = [environment.hidden_state()]
        environment.reset(seed=7, task_tier=Tier.HARD)
        records.append(environment.hidden_state())
    assert runs[0][0] != runs[1][0]
    assert records[0].seed == records[1].seed == secrecy.seed(Tier.HARD, 7)
    assert records[0].faults == records[1].faults
    assert records[0].episode_key != records[1].episode_key


def test_a_record_of_a_judged_server_replays_to_the_same_bytes(secrecy):
    with Environment(SimulatorBackend, secrecy=secrecy) as environment:
        played = observations(environment, seed=7)
        record = environment.hidden_state()
    with Environment(SimulatorBackend) as environment:
        again = observations(environment, seed=record.seed, episode_key=record.episode_key)
        assert environment.hidden_state().faults == record.faults
        other_key = observations(environment, seed=record.seed)
    assert played == again != other_key
    assert record.faults[0].parameters == draw_faults(Tier.HARD, record.seed)[0].parameters()
