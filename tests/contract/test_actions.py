"""One test a row of the action table: what really happens on the live mesh."""

from chaos.faults.noop import NoFault
from services.mesh.topology import Service
from services.mesh.vocabulary import BREAKER_STEPS, SCALE_UP_STEPS, ActionName

SERVICE = Service.PRODUCT_SERVICE
OTHERS = (Service.AUTH_SERVICE, Service.USER_DB, Service.PAYMENT_GATEWAY)


def test_wait_does_nothing(told):
    story = told(NoFault(), steps=5)
    assert all(story.broken(service) == [] for service in Service)


def test_restart_fails_every_call_for_one_step(told):
    story = told(NoFault(), script={2: (ActionName.RESTART, SERVICE)}, steps=5)
    errors = story.errors(SERVICE)
    assert errors[2] > 0.9
    assert errors[1] == 0.0 and errors[4] == 0.0
    assert story.broken(SERVICE)[0] == 2 and max(story.broken(SERVICE)) <= 3
    assert all(story.broken(service) == [] for service in OTHERS)


def test_restart_of_the_gateway_is_what_users_see(told):
    story = told(NoFault(), script={2: (ActionName.RESTART, Service.API_GATEWAY)}, steps=4)
    assert story.errors(Service.API_GATEWAY)[2] > 0.9
    assert story.errors(Service.API_GATEWAY)[4] == 0.0


def test_circuit_break_counts_as_errors_for_three_steps_and_spares_the_callers(told):
    story = told(NoFault(), script={2: (ActionName.CIRCUIT_BREAK, SERVICE)}, steps=7)
    assert story.broken(SERVICE) == list(range(2, 2 + BREAKER_STEPS))
    assert story.broken(Service.API_GATEWAY) == []
    assert all(story.errors(Service.API_GATEWAY)[step] == 0.0 for step in range(2, 5))


def test_circuit_break_holds_traffic_off(told):
    story = told(NoFault(), script={2: (ActionName.CIRCUIT_BREAK, SERVICE)}, steps=7)
    calls = [step.true[SERVICE].calls for step in story.steps()]
    assert calls[3] == calls[4] == 0
    assert min(calls[1], calls[6]) > 0


def test_scale_up_serves_from_the_third_step_after_without_a_lost_call(told):
    story = told(NoFault(), script={1: (ActionName.SCALE_UP, SERVICE)}, steps=7)
    assert all(story.broken(service) == [] for service in Service)
    serving = [len(step.serving[SERVICE]) for step in story.steps()]
    assert serving == [1] * (1 + SCALE_UP_STEPS) + [2] * 4


def test_rollback_has_no_downtime(told):
    story = told(NoFault(), script={2: (ActionName.ROLLBACK, SERVICE)}, steps=5)
    assert story.broken(SERVICE) == []
    assert story.errors(SERVICE)[2] == 0.0
