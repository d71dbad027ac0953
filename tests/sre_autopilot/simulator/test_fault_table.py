"""Faults as rows of numbers, encoded from objects."""

import pytest

from chaos.fault import Fault
from chaos.faults.noop import NoFault
from chaos.faults.single_oom import SingleOom
from sre_autopilot.simulator.fault_table import encode_faults
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.world.topology import Service

LEAK = SingleOom(Service.AUTH_SERVICE, 30.0)


def test_a_row_holds_kind_root_and_parameters():
    row = encode_faults([LEAK])
    assert row[layout.KIND] == layout.SINGLE_OOM
    assert row[layout.ROOT] == list(Service).index(Service.AUTH_SERVICE)
    assert row[layout.LEAK_MB] == 30.0
    assert row[layout.FAULT_WIDTH + layout.KIND] == layout.NO_FAULT


def test_no_fault_is_encoded_as_two_empty_slots():
    slots = encode_faults([NoFault()]).reshape(layout.MAX_FAULTS, -1)
    assert (slots[:, layout.KIND] == layout.NO_FAULT).all()


def test_three_faults_at_once_are_too_many():
    with pytest.raises(ValueError, match="2 faults at once, not 3"):
        encode_faults([LEAK, LEAK, LEAK])


def test_a_fault_class_of_others_is_refused():
    class Elsewhere:
        kind = LEAK.kind
        root = LEAK.root
        cheap_cure = LEAK.cheap_cure

    foreign: Fault = Elsewhere()  # type: ignore[assignment]
    with pytest.raises(ValueError, match="no rules for the fault Elsewhere"):
        encode_faults([foreign])
