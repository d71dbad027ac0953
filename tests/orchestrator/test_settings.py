"""Settings come from the environment they are given, and say what is wrong with it."""

from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from orchestrator.backends import BACKENDS, make_backend
from orchestrator.backends.process.backend import STEP_SECONDS, ProcessBackend
from orchestrator.settings import Mode, Settings, naming_variables
from sre_autopilot.errors import InvalidSettings, UnknownName
from sre_autopilot.simulator import NAME as SIMULATOR
from sre_autopilot.world.stack import (
    BROKER_PORT,
    CHAOS_PORT,
    Network,
    Part,
    network_alias,
)


def test_defaults():
    settings = Settings.from_env({})
    assert settings == Settings()
    assert settings.backend == ProcessBackend.name


def test_variables_are_read_and_others_are_not():
    settings = Settings.from_env(
        {
            "SRE_STEP_SECONDS": "1.5",
            "SRE_RECORD_DIR": "here",
            "STEP_SECONDS": "9",
            "SRE_BACKEND": "",
        }
    )
    assert settings.step_seconds == 1.5
    assert settings.record_dir == Path("here")
    assert settings.backend == ProcessBackend.name


@pytest.mark.parametrize("value", ["0", "-1", "soon", "1000"])
def test_a_bad_value_names_its_variable_and_the_valid_ones(value):
    message = rf"SRE_STEP_SECONDS: '{value}' is not valid; valid: a number above 0.1 up to 60"
    with pytest.raises(InvalidSettings, match=message):
        Settings.from_env({"SRE_STEP_SECONDS": value})


def test_every_bad_variable_has_a_line():
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_env({"SRE_MAX_SESSIONS": "0", "SRE_METRICS_PORT": "x", "SRE_BACKEND": "moon"})
    assert str(caught.value).splitlines() == [
        "SRE_MAX_SESSIONS: '0' is not valid; valid: a whole number from 1 up to 1024",
        "SRE_METRICS_PORT: 'x' is not valid; valid: a whole number from 0 up to 65535",
    ]


def test_an_unknown_name_of_a_setting_names_its_variable():
    with (
        pytest.raises(InvalidSettings, match=r"SRE_BACKEND: unknown backend 'moon'; valid values"),
        naming_variables("backend"),
    ):
        make_backend(Settings(backend="moon"))
    with pytest.raises(UnknownName), naming_variables("fault"):
        make_backend(Settings(backend="moon"))


@pytest.mark.parametrize(
    ("variable", "value", "valid"),
    [
        ("SRE_SESSION_LEASE_S", "inf", "a number from 1"),
        ("SRE_SESSION_LEASE_S", "0.5", "a number from 1"),
        ("SRE_MAX_SESSIONS", "1.5", "a whole number from 1 up to 1024"),
        ("SRE_METRICS_PORT", "65536", "a whole number from 0 up to 65535"),
        ("SRE_BROKER_URLS", "broker:8200", "such as http://"),
        ("SRE_BROKER_URLS", "http://a:1,", "such as http://"),
        ("SRE_CHAOS_URL", "http://a b", "such as http://"),
        ("SRE_STATE_TOKEN", "abc\n", "printable ASCII without spaces"),
        ("SRE_STATE_TOKEN", "two words", "printable ASCII without spaces"),
        ("SRE_STATE_TOKEN", "na\u00efve", "printable ASCII without spaces"),
    ],
)
def test_value_that_cannot_be_used_names_its_variable(variable, value, valid):
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_env({variable: value})
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{variable}: ") and f"valid: {valid}" in line


def test_refused_token_is_not_printed():
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_env({"SRE_STATE_TOKEN": "my secret"})
    assert "my secret" not in str(caught.value)


def test_several_brokers_are_valid():
    settings = Settings.from_env({"SRE_BROKER_URLS": "http://a:1,https://b:2/path"})
    assert settings.broker_urls == "http://a:1,https://b:2/path"


def test_settings_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().backend = "another"  # type: ignore[misc]


def test_the_backend_is_made_as_the_settings_say():
    assert make_backend(Settings())().step_seconds == STEP_SECONDS
    assert make_backend(Settings(step_seconds=1.5))().step_seconds == 1.5


def test_by_default_the_parts_of_a_stack_are_found_by_their_names_on_one_network():
    settings = Settings()
    urls = [*settings.broker_urls.split(","), settings.chaos_url]
    parts = (Part.BROKER, Part.BROKER_STANDBY, Part.CHAOS)
    assert [httpx.URL(url).host for url in urls] == [
        network_alias(part, Network.CONTROL) for part in parts
    ]
    assert [httpx.URL(url).port for url in urls] == [BROKER_PORT, BROKER_PORT, CHAOS_PORT]


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_is_made_by_its_name_and_tells_it(backend):
    settings = Settings(backend=backend, step_seconds=0.7)
    made = make_backend(settings)()
    # The simulator has no wall clock: the setting changes nothing.
    assert (made.name, made.step_seconds) == (backend, 0.0 if backend == SIMULATOR else 0.7)


def test_an_unknown_backend_lists_the_known_ones():
    with pytest.raises(UnknownName, match=ProcessBackend.name):
        make_backend(Settings(backend="moon"))


def test_judge_mode_needs_a_token():
    problem = "SRE_STATE_TOKEN: it is not set, and SRE_MODE=judge needs it; valid: printable ASCII"
    with pytest.raises(InvalidSettings, match=problem):
        Settings.from_env({"SRE_MODE": "judge"})
    assert Settings.from_env({"SRE_MODE": "judge", "SRE_STATE_TOKEN": "t"}).mode is Mode.JUDGE


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", ["SRE_STATE_TOKEN", "SRE_SECRET"])
def test_an_empty_secret_is_refused_by_name(mode, name):
    environ = {"SRE_MODE": mode, "SRE_STATE_TOKEN": "t", name: ""}
    with pytest.raises(InvalidSettings, match=rf"^{name}: it is not valid; valid: [^\n]*$"):
        Settings.from_env(environ)


def test_a_secret_that_could_be_guessed_is_refused_and_not_repeated():
    with pytest.raises(
        InvalidSettings, match="SRE_SECRET: it is not valid; valid: at least 16"
    ) as e:
        Settings.from_env({"SRE_SECRET": "hunter2"})
    assert "hunter2" not in str(e.value)


def test_an_unknown_mode_is_refused_with_the_valid_ones():
    with pytest.raises(
        InvalidSettings, match="SRE_MODE: 'exam' is not valid; valid: develop, judge"
    ):
        Settings.from_env({"SRE_MODE": "exam"})


def test_a_judged_stack_needs_the_token_of_its_control_traffic():
    judged = {"SRE_MODE": "judge", "SRE_STATE_TOKEN": "t", "SRE_BACKEND": "docker"}
    problem = "SRE_MESH_TOKEN: it is not set, and SRE_MODE=judge needs it"
    for environ in (judged, {**judged, "SRE_MESH_TOKEN": ""}):
        with pytest.raises(InvalidSettings, match=problem):
            Settings.from_env(environ)
    assert Settings.from_env({**judged, "SRE_MESH_TOKEN": "m"}).mesh_token is not None
    assert Settings.from_env({"SRE_BACKEND": "docker", "SRE_MESH_TOKEN": ""}).mesh_token is None
