"""A registered name and "module:object" resolve; any other name lists the valid ones."""

import pytest

from sre_autopilot.errors import SREError, UnknownName
from sre_autopilot.plugins import resolve, valid_names

REGISTRY = {
    "decoder": "json:JSONDecoder",
    "lacking": "no_such_package:Class",
}


def test_a_registered_name_resolves_to_its_object() -> None:
    decoder = resolve("codec", "decoder", REGISTRY, required="decode")
    assert decoder is resolve("codec", "json:JSONDecoder", {}, required="decode")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", ""),
        (":", ""),
        ("json:", ""),
        (":JSONDecoder", ""),
        ("decodr", ""),
        ("json.JSONDecoder", ""),
        ("no_such_module:Class", "ModuleNotFoundError"),
        ("json:NoSuchClass", "AttributeError"),
        ("json:JSONEncoder", "it has no method decode"),
        ("not a module:Class", "not a module"),
    ],
)
def test_an_unknown_name_lists_the_valid_ones_and_its_reason(name: str, reason: str) -> None:
    with pytest.raises(UnknownName, match=r"unknown codec .*valid values: decoder, lacking") as e:
        resolve("codec", name, REGISTRY, required="decode")
    assert e.value.valid == valid_names(REGISTRY) == ("decoder", "lacking", "module:Class")
    assert reason in str(e.value)
    assert isinstance(e.value, SREError)


def test_a_registered_object_without_its_package_raises_the_import_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        resolve("codec", "lacking", REGISTRY, required="decode")
