"""What an agent with the code and the public seeds can know: all, or in judge mode nothing."""

from collections.abc import Iterator
from itertools import cycle, islice

import pytest

from chaos.fault import Fault
from chaos.tiers import draw_faults
from orchestrator.environment import Environment
from orchestrator.secrecy import Secrecy
from sre_autopilot.grading import EpisodeRecord
from sre_autopilot.models import SREAction
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.orchestrator.seed_matcher import PUBLIC, likeliest_seed

EPISODES, STEPS = 200, 3
TIERS = (Tier.EASY, Tier.MEDIUM, Tier.HARD, Tier.EXPERT)
Guess = tuple[Tier, int, int, EpisodeRecord]
WAIT = SREAction(action=ActionName.WAIT)


def guesses(secrecy: Secrecy | None, episodes: int) -> Iterator[Guess]:
    """Tier and seed asked for, the matcher's guess after STEPS steps, and the record."""
    asked = PUBLIC[:: len(PUBLIC) // EPISODES]
    with Environment(SimulatorBackend, secrecy=secrecy) as environment:
        for tier, seed in islice(zip(cycle(TIERS), asked), episodes):
            observations = [environment.reset(seed=seed, task_tier=tier)]
            observations += [environment.step(WAIT) for _ in range(STEPS)]
            yield tier, seed, likeliest_seed(observations), environment.hidden_state()


def hidden_of(faults: tuple[Fault, ...]) -> set[tuple[object, ...]]:
    return {(fault.kind, fault.root, fault.parameters().get("cause")) for fault in faults}


def hidden(record: EpisodeRecord) -> set[tuple[object, ...]]:
    return {(f.kind, f.root, f.parameters.get("cause")) for f in record.faults}


def test_in_develop_mode_the_seed_can_be_read_off_what_an_agent_sees():
    """So the matcher works, and the next test means something."""
    right = [guess == seed == record.seed for _, seed, guess, record in guesses(None, 40)]
    assert sum(right) / len(right) >= 0.9


class StorySecretAlone(Secrecy):
    """Keys of episodes are as in develop mode."""

    @staticmethod
    def episode_key() -> int:
        return 0


class EpisodeKeyAlone(Secrecy):
    """A seed is the story that it is in develop mode."""

    def seed(self, tier: Tier, asked: int) -> int:
        return asked


@pytest.mark.parametrize("defence", [Secrecy, StorySecretAlone, EpisodeKeyAlone])
def test_in_judge_mode_neither_seed_nor_fault_can_be_read_off_what_an_agent_sees(
    defence: type[Secrecy],
) -> None:
    """Either defence is enough by itself."""
    seeds = faults = chance = 0
    others = {tier: [hidden_of(draw_faults(tier, seed)) for seed in PUBLIC[:100]] for tier in TIERS}
    for tier, seed, guess, record in guesses(defence(b"a-secret-of-the-judge"), EPISODES):
        seeds += guess in {seed, record.seed}
        faults += hidden_of(draw_faults(tier, guess)) == hidden(record)
        # Any other seed is as good a guess: what a guess is worth that has seen nothing.
        chance += others[tier].count(hidden(record))
    assert seeds / EPISODES <= 0.01
    expected = chance / 100 / EPISODES
    # Three standard errors of the rate over 200 episodes.
    assert faults / EPISODES <= expected + 3 * (expected * (1 - expected) / EPISODES) ** 0.5


def test_seeds_of_clients_lead_to_no_story():
    """Who knows the client's seed knows `draw_faults` of it, and is right by chance alone."""
    secrecy = Secrecy(b"a-secret-of-the-judge")
    asked = PUBLIC[:3000]
    same = [
        hidden_of(draw_faults(Tier.HARD, seed)) == hidden_of(draw_faults(Tier.HARD, played))
        for seed in asked
        for played in [secrecy.seed(Tier.HARD, seed)]
    ]
    assert abs(sum(same) / len(same) - 1 / 3) < 0.03
