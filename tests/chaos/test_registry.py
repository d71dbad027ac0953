"""The registry: every shipped fault keeps the contract, others plug in, bad names say why."""

from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from itertools import product
from typing import Any, Self

import pytest

from chaos.fault import Fault, Impairments, Intervention
from chaos.faults import FAULTS, FaultClass, load_fault
from chaos.faults.noop import NoFault
from chaos.faults.single_oom import SingleOom
from sre_autopilot.world.deployment import Deployment, ReplicaId, initial_deployment
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, FaultKind

START = initial_deployment()
SHIPPED = pytest.mark.parametrize(
    ("name", "fault_class"), [pytest.param(name, load_fault(name), id=str(name)) for name in FAULTS]
)


class Elsewhere:
    """A fault of a plugin, with a name that the vocabulary lacks."""

    kind = "elsewhere"
    root = Service.USER_DB
    cheap_cure = ActionName.SCALE_UP

    @classmethod
    def draw(cls, seed: int) -> Self:
        return cls()

    def impairments(self, step: int, deployment: Deployment) -> Mapping[ReplicaId, Impairments]:
        return {deployment.first(self.root).id: Impairments(drop_ratio=0.5)}

    def on_action(self, intervention: Intervention, deployment: Deployment) -> int | None:
        return intervention.step if intervention.action is self.cheap_cure else None

    def parameters(self) -> dict[str, Any]:
        return {}


ELSEWHERE: Fault = Elsewhere()
"""It keeps the contract, as far as a type checker sees."""


def test_every_kind_is_registered_once() -> None:
    assert list(FAULTS) == list(FaultKind)


@SHIPPED
def test_a_draw_is_what_its_name_says_and_always_the_same(
    name: FaultKind, fault_class: FaultClass
) -> None:
    for seed in range(50):
        fault = fault_class.draw(seed)
        assert fault.kind is name
        assert fault == fault_class.draw(seed)


@SHIPPED
def test_faults_are_frozen(name: FaultKind, fault_class: FaultClass) -> None:
    with pytest.raises((FrozenInstanceError, TypeError, AttributeError)):
        fault_class.draw(0).seed = 1  # type: ignore[attr-defined]


@SHIPPED
def test_impairments_are_pure_and_only_of_replicas_that_run(
    name: FaultKind, fault_class: FaultClass
) -> None:
    fault = fault_class.draw(3)
    busy = START.scaled_up(Service.USER_DB, 1).restarted(Service.PAYMENT_GATEWAY, 2)
    for deployment in (START, busy, START.rolled_back(Service.INVENTORY_DB, 4)):
        running = {replica.id for replica in deployment}
        for step in range(4, MAX_STEPS + 1):
            impairments = fault.impairments(step, deployment)
            assert impairments.keys() <= running
            assert impairments == fault.impairments(step, deployment)


@SHIPPED
def test_the_cheap_cure_of_the_root_can_cure(name: FaultKind, fault_class: FaultClass) -> None:
    for seed in range(20):
        fault = fault_class.draw(seed)
        if fault.root is not None:
            tries = (
                fault.on_action(Intervention(fault.cheap_cure, fault.root, step, seed), START)
                for step in range(1, 10)
            )
            assert any(tries)


def test_no_fault_impairs_nothing_and_is_never_cured() -> None:
    fault: Fault = NoFault.draw(7)
    assert (fault.root, fault.cheap_cure, fault.parameters()) == (None, ActionName.WAIT, {})
    assert fault.impairments(5, START) == {}
    for action, service in product(ActionName, Service):
        assert fault.on_action(Intervention(action, service, 5, 7), START) is None


def test_a_fault_from_elsewhere_is_loaded_from_its_module() -> None:
    assert load_fault("chaos.faults.single_oom:SingleOom") is SingleOom


@pytest.mark.parametrize(
    "name",
    [
        "",
        ":",
        "single_ooom",
        "no_such_module:Fault",
        "chaos.faults:NoSuchFault",
        "chaos.faults:FAULTS",
        "os.path:join",
    ],
)
def test_an_unknown_name_raises_with_the_valid_ones(name: str) -> None:
    with pytest.raises(ValueError, match=r"valid values: none, single_oom, .*, module:Class"):
        load_fault(name)
