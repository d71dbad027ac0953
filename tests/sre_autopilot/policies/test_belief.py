"""The policy `belief` on evidence written by hand, and in the simulator."""

import statistics
from functools import cache

import numpy as np
import pytest

from orchestrator.environment import Environment
from sre_autopilot.evaluation.many_seeds import VectorEvaluator
from sre_autopilot.models import RewardBreakdown, ServiceMetrics, SREAction, SREObservation
from sre_autopilot.policies import Briefing, load_policy
from sre_autopilot.policies.belief_filter.action_log import ActionLog
from sre_autopilot.policies.belief_filter.connection_leak import P99_REST_MS
from sre_autopilot.policies.belief_filter.flap_grid import NOISY, ROLLOUT, STALE
from sre_autopilot.policies.belief_filter.flap_planner import PLANS, FlapPlanner
from sre_autopilot.policies.belief_filter.flapping import FlapBelief, rate_chances
from sre_autopilot.policies.belief_filter.memory_leak import OomBelief, rest_pct
from sre_autopilot.policies.play import play
from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.world.topology import DATABASES, Service
from sre_autopilot.world.vocabulary import MAX_RESTARTS, ActionName, FlapCause, Tier

PAYMENT = Service.PAYMENT_GATEWAY
WAIT = SREAction(action=ActionName.WAIT)
WELL = ServiceMetrics(latency_p99=40.0, error_rate=0.0, cpu_pct=7.0, memory_pct=25.0)
HEALTHY = dict.fromkeys(Service, WELL) | dict.fromkeys(
    DATABASES, WELL.model_copy(update={"latency_p99": 18.0})
)
LOST = ServiceMetrics(latency_p99=None, error_rate=None, cpu_pct=None, memory_pct=None)
NO_HINT = RewardBreakdown(
    sla_compliance=0.0, cost_penalty=0.0, downtime_penalty=0.0, resolution_bonus=0.0, total=0.0
)


def restart(service):
    return SREAction(action=ActionName.RESTART, service_id=service)


def broken(service):
    return SREAction(action=ActionName.CIRCUIT_BREAK, service_id=service)


def observed(step, action=WAIT, *, error=None, restarts=MAX_RESTARTS, **services):
    """An observation of a mesh that is healthy but for `services`."""
    changed = {Service(name): metrics for name, metrics in services.items()}
    return SREObservation(
        metrics=HEALTHY | changed,
        dependency_graph={},
        trace_edges=[],
        action_history=[action] if step else [],
        step=step,
        remaining_restarts=restarts,
        sla_status=dict.fromkeys(Service, True),
        reward_hint=0.0,
        reward_breakdown=NO_HINT,
        last_action_error=error,
    )


def burst(error_rate, cpu_pct):
    return WELL.model_copy(
        update={"error_rate": error_rate, "cpu_pct": cpu_pct, "latency_p99": 250.0}
    )


def act_on(observations):
    """The actions of a new policy after each observation."""
    policy = load_policy("belief")
    policy.begin(Briefing(0))
    return [policy.act(observation) for observation in observations]


def causes_after(windows):
    """Probabilities of the causes, uncured, and of nothing, after windows of payment."""
    flap, action_log = FlapBelief(), ActionLog()
    for step, metrics in enumerate(windows):
        observation = observed(step, payment_gateway=metrics)
        action_log.record(observation)
        flap.learn(observation, action_log, obscured=False)
    return FlapPlanner(flap).causes()


@cache
def played(name, tier, seed):
    """Record and score in the simulator."""
    with Environment(SimulatorBackend) as environment:
        return play(environment, load_policy(name), tier, seed)


def mean_score(tier, seeds):
    """Of `belief`."""
    return statistics.mean(played("belief", tier, seed)[1].total for seed in seeds)


def mean_score_of_the_runbook(tier, seeds):
    """The same score as in an environment, in a tenth of the time."""
    evaluator = VectorEvaluator(seeds, NUMPY, "process")
    return evaluator.scores("runbook", tier, lambda _ended: None).mean()


def interventions(record):
    return [(step, a.action, a.service_id) for step, a in record.interventions]


@pytest.mark.parametrize(
    ("cause", "windows"),
    [
        (STALE, [burst(1.0, 6.5), burst(1.0, 7.0), WELL, WELL, WELL, burst(0.83, 6.5)]),
        (ROLLOUT, [burst(0.4, 9.0), burst(0.6, 9.5), burst(0.5, 9.0), WELL, burst(0.4, 8.5)]),
        (NOISY, [burst(0.2, 22.0), burst(0.2, 20.0), burst(0.33, 23.0), WELL, WELL, WELL]),
    ],
)
def test_clear_evidence_names_the_cause(cause, windows):
    causes = causes_after(windows)
    assert causes.sum() == pytest.approx(1.0)
    assert causes.argmax() == cause
    assert causes[cause] > 0.6


def test_healthy_windows_name_no_cause():
    assert causes_after([WELL] * 9)[-1] > 0.98


def test_slow_window_without_errors_is_evidence_of_a_neighbour():
    slow = WELL.model_copy(update={"latency_p99": 190.0})
    causes = causes_after([burst(0.25, 7.0), slow, slow, WELL, WELL])
    assert causes.argmax() == NOISY


def test_lost_values_are_no_evidence():
    assert causes_after([LOST] * 5) == pytest.approx(causes_after([]))


def test_an_error_rate_is_likeliest_at_its_own_share():
    chances = rate_chances(0.5, calls=6.0)
    assert chances.argmax() == pytest.approx(len(chances) / 2, abs=1)
    assert rate_chances(0.0, calls=6.0).argmax() == 0


def test_p99_at_rest_of_databases_lies_between_two_middles_of_the_fitted_one():
    fitted = parameters.load("process")
    for database, rest_ms in P99_REST_MS.items():
        sample_ms = fitted.latency_ms[list(Service).index(database)]
        assert np.median(sample_ms) < rest_ms < np.exp(np.log(sample_ms).mean())


@pytest.mark.parametrize("service", Service)
def test_a_leak_is_restarted_at_once(service):
    high = WELL.model_copy(update={"memory_pct": 49.0})
    assert act_on([observed(0, **{service: high})]) == [restart(service)]


def test_late_evidence_does_not_restart_twice():
    """The reading may still be of the window before the restart."""
    high = WELL.model_copy(update={"memory_pct": 49.0})
    once = restart(Service.USER_DB)
    acted = act_on([observed(0, user_db=high), observed(1, once, user_db=high)])
    assert acted == [once, WAIT]


def test_lost_evidence_does_not_restart_twice():
    high = WELL.model_copy(update={"memory_pct": 49.0})
    once = restart(Service.USER_DB)
    acted = act_on([observed(0, user_db=high), observed(1, once, user_db=LOST)])
    assert acted == [once, WAIT]


def test_restart_that_failed_is_repeated_when_memory_climbs_again():
    climbing = [WELL.model_copy(update={"memory_pct": pct}) for pct in (49.0, 46.0, 70.0, 93.0)]
    once = restart(Service.USER_DB)
    windows = [observed(s, once if s == 1 else WAIT, user_db=m) for s, m in enumerate(climbing)]
    assert once in act_on(windows)[2:]


def test_restart_that_helped_ends_the_belief_in_a_leak():
    leak, action_log = OomBelief(Service.USER_DB, 25.0), ActionLog()
    for step, pct in enumerate((49.0, 20.0, 25.0, 25.0, 25.0)):
        action = restart(Service.USER_DB) if step == 1 else WAIT
        metrics = WELL.model_copy(update={"memory_pct": pct})
        observation = observed(step, action, user_db=metrics)
        action_log.record(observation)
        leak.learn(observation, action_log)
    assert leak.active < 0.01
    assert leak.ever > 0.9


def test_mesh_with_more_memory_at_rest_is_left_alone():
    mesh = {s: m.model_copy(update={"memory_pct": 38.0}) for s, m in HEALTHY.items()}
    assert rest_pct(mesh.values()) == 38.0
    assert act_on(observed(step, **mesh) for step in range(6)) == [WAIT] * 6


def test_caller_whose_memory_creeps_up_is_restarted():
    """The database is slow, and a caller grows: not the database, but that caller is restarted."""
    windows = [
        observed(
            step,
            user_db=WELL.model_copy(update={"latency_p99": 38.0 + 5.0 * step}),
            auth_service=WELL.model_copy(update={"memory_pct": 25.0 + 2.4 * (step + 1)}),
        )
        for step in range(8)
    ]
    first = next(action for action in act_on(windows) if action != WAIT)
    assert first == restart(Service.AUTH_SERVICE)


def test_dry_pool_without_a_creeping_caller_is_the_databases_own():
    dry = ServiceMetrics(latency_p99=246.0, error_rate=1.0, cpu_pct=10.0, memory_pct=25.0)
    slow = [WELL.model_copy(update={"latency_p99": p99}) for p99 in (40, 45, 48, 52, 52, 75)]
    acted = act_on(observed(s, inventory_db=m) for s, m in enumerate([*slow, dry, dry]))
    assert restart(Service.INVENTORY_DB) in acted
    assert {action.service_id for action in acted} <= {Service.INVENTORY_DB, None}


def test_open_breaker_is_followed_by_the_restart_behind_it():
    assert act_on([observed(0), observed(1, broken(PAYMENT), payment_gateway=burst(1.0, 7.0))])[
        -1
    ] == (restart(PAYMENT))


def test_refused_action_has_no_effect():
    refused = observed(1, broken(PAYMENT), error="refused")
    assert act_on([observed(0), refused])[-1] == WAIT


def test_without_restarts_no_plan_needs_one():
    windows = [burst(1.0, 7.0), burst(1.0, 7.0), WELL, WELL, burst(1.0, 7.0), burst(1.0, 7.0)] * 3
    acted = act_on(observed(s, payment_gateway=m, restarts=0) for s, m in enumerate(windows))
    done = {action.action for action in acted}
    assert ActionName.ROLLBACK in done
    assert done.isdisjoint({ActionName.RESTART, ActionName.CIRCUIT_BREAK})


def test_every_plan_ends_with_what_always_cures():
    assert all(plan[-1] == max(map(max, PLANS)) for plan in PLANS)


@pytest.mark.parametrize("seed", range(6))
def test_a_healthy_mesh_is_left_alone(seed):
    assert interventions(played("belief", Tier.CONTROL, seed)[0]) == []


def test_every_circuit_break_is_followed_by_a_restart():
    drains = 0
    for seed in range(24):
        record, _ = played("belief", Tier.HARD, seed)
        done = interventions(record)
        for (step, action, service), following in zip(done, [*done[1:], None], strict=True):
            if action is ActionName.CIRCUIT_BREAK:
                drains += 1
                assert following == (step + 1, ActionName.RESTART, service)
    assert drains


def test_clear_causes_get_their_own_cure():
    """A neighbour that burns much and a link that loses all leave little doubt."""
    cures = {FlapCause.STALE_CONNECTION: "restart", FlapCause.NOISY_NEIGHBOUR: "scale_up"}
    clear = 0
    for seed in range(24):
        record, score = played("belief", Tier.HARD, seed)
        fault = record.faults[0]
        burns = fault.parameters["cpu_factor"] > 2.3
        if burns or (fault.parameters["cause"] in cures and fault.parameters["loss_share"] > 0.9):
            clear += 1
            assert fault.cured_by == cures[fault.parameters["cause"]], seed
            assert score.resolved
    assert clear >= 3


def test_belief_beats_the_runbook_on_hard():
    seeds = range(24)
    assert mean_score(Tier.HARD, seeds) > mean_score_of_the_runbook(Tier.HARD, seeds) + 0.03


@pytest.mark.parametrize("tier", [Tier.EASY, Tier.MEDIUM, Tier.EXPERT])
def test_belief_is_not_below_the_runbook_elsewhere(tier):
    seeds = range(12)
    assert mean_score(tier, seeds) > mean_score_of_the_runbook(tier, seeds) - 0.01


def test_equal_episodes_get_equal_actions():
    record, _ = played("belief", Tier.EXPERT, 3)
    with Environment(SimulatorBackend) as environment:
        again, _ = play(environment, load_policy("belief"), Tier.EXPERT, 3)
    assert interventions(again) == interventions(record)
