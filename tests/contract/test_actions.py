"""One test a row of the action table: what really happens on the live mesh."""

from chaos.faults.noop import NoFault
from services.mesh.topology import Service
from services.mesh.vocabulary import BREAKER_STEPS, SCALE_UP_STEPS, ActionName

SERVICE = Service.PRODUCT_SERVICE
OTHERS = (Service.AUTH_SERVICE, Service.USER_DB, Service.PAYMENT_GATEWAY)


def test_wait_does_nothing(told):
    story = told(NoFault(), steps=3)
    assert all(story.failing(service) == [] for service in Service)


def test_restart_fails_every_call_for_one_step(told):
    story = told(NoFault(), script={2: (ActionName.RESTART, SERVICE)}, steps=5)
    assert story.errors(SERVICE)[2] > 0.6
    assert {2} <= set(story.failing(SERVICE)) <= {2, 3}
    assert all(story.failing(service) == [] for service in OTHERS)


def test_restart_of_the_gateway_is_what_users_see(told):
    story = told(NoFault(), script={2: (ActionName.RESTART, Service.API_GATEWAY)}, steps=4)
    assert story.errors(Service.API_GATEWAY)[2] > 0.6
    assert {2} <= set(story.failing(Service.API_GATEWAY)) <= {2, 3}


def test_circuit_break_counts_as_errors_for_three_steps_and_spares_the_callers(told):
    story = told(NoFault(), script={2: (ActionName.CIRCUIT_BREAK, SERVICE)}, steps=7)
    assert story.failing(SERVICE) == list(range(2, 2 + BREAKER_STEPS))
    assert story.failing(Service.API_GATEWAY) == []
    calls = [step.true[SERVICE].calls for step in story.steps()]
    assert calls[3] == calls[4] == 0
    assert min(calls[1], calls[6]) > 0


def test_scale_up_serves_from_the_third_step_after_without_a_lost_call(told):
    story = told(NoFault(), script={1: (ActionName.SCALE_UP, SERVICE)}, steps=7)
    assert all(story.failing(service) == [] for service in Service)
    serving = [len(step.serving[SERVICE]) for step in story.steps()]
    assert serving == [1] * (1 + SCALE_UP_STEPS) + [2] * 4


def test_rollback_has_no_downtime(told):
    story = told(NoFault(), script={2: (ActionName.ROLLBACK, SERVICE)}, steps=5)
    assert story.failing(SERVICE) == []
    assert len(story.steps()[2].serving[SERVICE]) == 1
    assert story.steps()[2].serving != story.steps()[1].serving
