"""Two records of one policy, and the submission that is made of them."""

import shutil

import pytest

from sre_autopilot.evaluation.submission.make import chosen, write
from tests.sre_autopilot.evaluation.submission.tampering import FIRST, POLICY, played


@pytest.fixture(scope="module")
def records():
    return played((FIRST, FIRST + 1))


@pytest.fixture(scope="module")
def whole(records, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "submission"
    write(chosen(records, POLICY), folder, POLICY, "1", tokens=None)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "submission")
