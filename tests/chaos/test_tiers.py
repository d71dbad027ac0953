"""Which faults the tiers hide: fixed by tier and seed, in the shares that the world asks for."""

from collections import Counter

import pytest
from scipy import stats

from chaos.fault import Fault
from chaos.faults.db_connection_leak import DbConnectionLeak
from chaos.faults.single_oom import SingleOom
from chaos.tiers import draw_faults, drawing
from sre_autopilot.world.deployment import initial_deployment
from sre_autopilot.world.shapes import PAIR_SHARE
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, FaultKind, FlapCause, Tier

SEEDS = range(2_000)
KINDS = [kind for kind in FaultKind if kind is not FaultKind.NONE]


@pytest.fixture(scope="module")
def expert() -> list[tuple[Fault, ...]]:
    return [draw_faults(Tier.EXPERT, seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def pairs(expert: list[tuple[Fault, ...]]) -> list[tuple[Fault, ...]]:
    return [faults for faults in expert if len(faults) == 2]


@pytest.mark.parametrize(
    ("tier", "kind"),
    [
        (Tier.EASY, FaultKind.SINGLE_OOM),
        (Tier.MEDIUM, FaultKind.DB_CONNECTION_LEAK),
        (Tier.HARD, FaultKind.FLAPPING_NETWORK),
        (Tier.CONTROL, FaultKind.NONE),
    ],
)
def test_a_plain_tier_has_one_kind(tier: Tier, kind: FaultKind) -> None:
    assert all([f.kind for f in draw_faults(tier, seed)] == [kind] for seed in range(200))


@pytest.mark.parametrize("tier", Tier)
def test_a_seed_draws_the_same_faults_again(tier: Tier) -> None:
    draws = [draw_faults(tier, seed) for seed in range(200)]
    assert draws == [draw_faults(tier, seed) for seed in range(200)]
    assert (len(set(map(repr, draws))) > 150) == (tier is not Tier.CONTROL)


def test_half_of_the_expert_episodes_have_two_faults(
    expert: list[tuple[Fault, ...]], pairs: list[tuple[Fault, ...]]
) -> None:
    assert {len(faults) for faults in expert} == {1, 2}
    assert stats.binomtest(len(pairs), len(SEEDS), PAIR_SHARE).pvalue > 1e-3


def test_expert_kinds_are_uniform(expert: list[tuple[Fault, ...]]) -> None:
    for count in (1, 2):
        first = Counter(faults[0].kind for faults in expert if len(faults) == count)
        assert stats.chisquare([first[kind] for kind in KINDS]).pvalue > 1e-3


def test_a_second_kind_is_uniform_among_those_with_room(pairs: list[tuple[Fault, ...]]) -> None:
    beside_payment, elsewhere = Counter[str](), Counter[str]()
    for first, second in pairs:
        kinds = beside_payment if first.root is Service.PAYMENT_GATEWAY else elsewhere
        kinds[second.kind] += 1
    assert FaultKind.FLAPPING_NETWORK not in beside_payment
    assert stats.chisquare(list(beside_payment.values())).pvalue > 1e-3
    assert stats.chisquare([elsewhere[kind] for kind in KINDS]).pvalue > 1e-3


def _places(fault: Fault) -> set[Service | None]:
    return {fault.root, fault.database} if isinstance(fault, DbConnectionLeak) else {fault.root}


def test_two_faults_share_no_service(pairs: list[tuple[Fault, ...]]) -> None:
    assert not any(_places(first) & _places(second) for first, second in pairs)


def test_two_faults_never_impair_one_replica(pairs: list[tuple[Fault, ...]]) -> None:
    start = initial_deployment()
    for first, second in pairs[:100]:
        for step in range(MAX_STEPS + 1):
            assert (
                not first.impairments(step, start).keys() & second.impairments(step, start).keys()
            )


def test_two_faults_of_one_kind_are_drawn_apart(pairs: list[tuple[Fault, ...]]) -> None:
    alike = [(a, b) for a, b in pairs if a.kind == b.kind]
    assert alike
    assert all(a.parameters() != b.parameters() for a, b in alike)


def test_every_service_can_be_a_root(expert: list[tuple[Fault, ...]]) -> None:
    assert {fault.root for faults in expert for fault in faults} == set(Service)


def test_faults_of_an_expert_seed_are_golden() -> None:
    """Array code must come to the same."""
    leak, flap = draw_faults(Tier.EXPERT, 0)
    assert leak.parameters() == {
        "database": Service.INVENTORY_DB,
        "holder": Service.PRODUCT_SERVICE,
        "fill_steps": 8.947552162438708,
    }
    assert flap.parameters() == {
        "cause": FlapCause.STALE_CONNECTION,
        "loss_share": 0.9306259210162428,
        "period_steps": 6,
        "burst_steps": 1,
        "phase_steps": 3,
        "cpu_factor": 1.0,
    }


@pytest.mark.parametrize("tier", Tier)
def test_a_named_fault_replaces_the_tiers_own(tier: Tier) -> None:
    named = drawing(FaultKind.SINGLE_OOM)(tier, 3)
    assert named == drawing("chaos.faults.single_oom:SingleOom")(tier, 3) == (SingleOom.draw(3),)
    assert drawing(None)(tier, 3) == draw_faults(tier, 3)


def test_an_unknown_fault_lists_the_valid_ones() -> None:
    with pytest.raises(ValueError, match=FaultKind.SINGLE_OOM):
        drawing("gremlins")
