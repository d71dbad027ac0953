"""The truth for trainers: that of the episode, in no observation, and off by default."""

import numpy as np
import pytest

from chaos.tiers import draw_faults
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.simulator.gym.hidden_info import NOTHING
from sre_autopilot.simulator.gym.vector_env import SREAutopilotVectorEnv
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.fault_draws import TIERS
from sre_autopilot.simulator.rules.window_arrays import PAYMENT
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, FaultKind, FlapCause, Tier
from tests.sre_autopilot.simulator.scripts import script

SEEDS = range(300_000, 300_048)
KEYS = {"fault_kind", "fault_root", "fault_cause", "fault_cured", "potential"}


def vector(num_envs, tier, **options):
    return SREAutopilotVectorEnv(num_envs, tier, engine=NUMPY, privileged=True, **options)


def test_nothing_hidden_is_in_info_unless_asked_for():
    _, info = SREAutopilotVectorEnv(2, engine=NUMPY).reset(seed=1)
    assert set(info) == {"action_mask"}
    _, info = vector(2, Tier.EASY).reset(seed=1)
    assert set(info) == {"action_mask", *KEYS}


@pytest.mark.parametrize("tier", Tier)
def test_hidden_faults_are_those_of_the_seed(tier):
    _, info = vector(len(SEEDS), tier).reset(seed=list(SEEDS))
    for lane, seed in enumerate(SEEDS):
        faults = [fault for fault in draw_faults(tier, seed) if fault.kind != FaultKind.NONE]
        expected = np.full((3, layout.MAX_FAULTS), NOTHING)
        expected[0] = layout.NO_FAULT
        for number, fault in enumerate(faults):
            cause = getattr(fault, "cause", None)
            expected[:, number] = (
                list(FaultKind).index(FaultKind(fault.kind)),
                NOTHING if fault.root is None else list(Service).index(fault.root),
                NOTHING if cause is None else list(FlapCause).index(cause),
            )
        hidden = [info[name][lane] for name in ("fault_kind", "fault_root", "fault_cause")]
        np.testing.assert_array_equal(hidden, expected)
    assert not info["fault_cured"].any()


@pytest.mark.parametrize("tier", Tier)
def test_the_potential_never_rises_and_ends_as_the_score(tier):
    env, scripts = vector(len(SEEDS), tier), np.array([script(seed) for seed in SEEDS])
    _, info = env.reset(seed=list(SEEDS))
    potential, playing = info["potential"], np.ones(len(SEEDS), np.bool_)
    assert ((potential > 0.8) & (potential <= 0.99)).all()
    for step in range(MAX_STEPS):
        _, rewards, done, _, info = env.step(scripts[:, step])
        assert (info["potential"] <= potential + 1e-12)[playing].all()
        over = playing & done
        np.testing.assert_array_equal(info["potential"][over], rewards[over])
        potential, playing = info["potential"], playing & ~done
    assert not playing.any()


def test_waiting_out_a_flap_costs_potential_and_curing_it_keeps_it():
    env = vector(3, Tier.HARD)
    _, info = env.reset(seed=0)
    rollback = int(np.flatnonzero(info["fault_cause"][:, 0] == layout.BAD_ROLLOUT)[0])
    actions = np.tile((layout.WAIT, 0), (3, 1))
    actions[rollback] = layout.ROLLBACK, PAYMENT
    before = info["potential"]
    _, _, _, _, info = env.step(actions)
    assert info["fault_cured"].any(axis=1).tolist() == [lane == rollback for lane in range(3)]
    assert info["potential"][rollback] >= before[rollback] - 0.06
    for _ in range(5):
        _, _, _, _, info = env.step(np.tile((layout.WAIT, 0), (3, 1)))
    others = np.arange(3) != rollback
    assert (info["potential"][others] < before[others] - 0.04).all()


def test_tiers_of_a_mixture_have_their_shares_and_faults():
    shares = {Tier.EASY: 1, Tier.CONTROL: 1, Tier.HARD: 2}
    env = SREAutopilotVectorEnv(4096, engine=NUMPY, tiers=shares, privileged=True)
    _, info = env.reset(seed=0)
    counts = np.bincount(info["tier"], minlength=len(TIERS)) / 4096
    for number, tier in enumerate(TIERS):
        assert counts[number] == pytest.approx(shares.get(tier, 0) / 4, abs=0.03)
    kinds = {Tier.EASY: layout.SINGLE_OOM, Tier.CONTROL: layout.NO_FAULT}
    for tier in shares:
        kind = info["fault_kind"][info["tier"] == TIERS.index(tier), 0]
        assert (kind == kinds.get(tier, layout.FLAPPING_NETWORK)).all()


def test_the_tier_of_an_episode_does_not_depend_on_its_neighbours():
    many = SREAutopilotVectorEnv(8, engine=NUMPY, tiers=dict.fromkeys(Tier, 1))
    rows, info = many.reset(seed=20)
    alone = SREAutopilotVectorEnv(1, engine=NUMPY, tiers=dict.fromkeys(Tier, 1))
    row, info_alone = alone.reset(seed=23)
    assert info["tier"][3] == info_alone["tier"][0]
    np.testing.assert_array_equal(rows[3], row[0])
    plain = SREAutopilotVectorEnv(1, TIERS[info["tier"][3]], engine=NUMPY)
    np.testing.assert_array_equal(plain.reset(seed=23)[0], row)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_tiers_follow_the_episodes(mode):
    env = SREAutopilotVectorEnv(
        16, engine=NUMPY, tiers={"easy": 1, "control": 1}, privileged=True, autoreset_mode=mode
    )
    env.reset(seed=0, options={"staggered": True})
    for _ in range(2 * MAX_STEPS):
        _, _, _, _, info = env.step(np.tile((layout.WAIT, 0), (16, 1)))
        control = info["tier"] == TIERS.index(Tier.CONTROL)
        np.testing.assert_array_equal(control, info["fault_kind"][:, 0] == layout.NO_FAULT)
