"""Settings whose names are checked before anything starts: backend, fault, fitted parameters.

`orchestrator.settings` knows types and ranges alone; the simulator is above it.
"""

import difflib
import logging
from collections.abc import Callable, Mapping

from chaos.tiers import drawing
from orchestrator.backends import make_backend
from orchestrator.backends.base import Backend
from orchestrator.recorder import is_writable
from orchestrator.settings import PREFIX, Settings, naming_variables, variable
from sre_autopilot.errors import InvalidValue
from sre_autopilot.simulator.fitted_files import fitted_file

CHECKED = ("backend", "fault", "simulator_of", "record_dir")
"""Fields that are checked here."""
OTHER_VARIABLES = frozenset(
    f"{PREFIX}{name}"
    for name in (
        *("BASE_URL", "CPUSET", "MESH_NETWORK", "PORT", "PROJECT", "PROMETHEUS_PORT"),
        *("APT_LOCK_TIMEOUT_S", "DOCKER_SOCKET", "ENGINE_STATE", "GRAFANA_PORT", "JAEGER_PORT"),
        *("REWARD_FOLDER", "URL"),
    )
)
"""What inference.py, the Compose file, the broker, scripts and task folders read."""
log = logging.getLogger(__name__)

MakeBackend = Callable[[Settings], Callable[[], Backend]]
"""From settings to a maker of the backend that they name. Raises UnknownName."""


def check_settings(settings: Settings, make: MakeBackend = make_backend) -> None:
    """Raises UnknownName for a backend, fault or fitted backend that does not exist, InvalidValue
    for a `record_dir` that cannot be written, ModuleNotFoundError for a backend whose extra is not
    installed. Starts and writes nothing.
    """
    make(settings), drawing(settings.fault), fitted_file(settings.simulator_of)
    folder = settings.record_dir
    if folder is not None and not is_writable(folder):
        raise InvalidValue("record_dir", str(folder), "a folder that can be written")


def settings_from_env(environ: Mapping[str, str]) -> Settings:
    """The settings of the variables SRE_..., checked.

    Raises InvalidSettings, a line for each variable that is wrong; ModuleNotFoundError as above.
    """
    settings = Settings.from_env(environ)
    with naming_variables(*CHECKED):
        check_settings(settings)
    warn_of_unknown_variables(environ)
    return settings


def warn_of_unknown_variables(environ: Mapping[str, str]) -> None:
    """Logs a warning for each."""
    for line in unknown_variables(environ):
        log.warning("%s", line)


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """A line for each variable SRE_... that nothing reads, with the name that may be meant."""
    valid = OTHER_VARIABLES | {variable(field) for field in Settings.model_fields}
    lines = []
    for name in sorted(name for name in environ if name.startswith(PREFIX) and name not in valid):
        ends = [valid_name.removeprefix(PREFIX) for valid_name in valid]
        near = difflib.get_close_matches(name.removeprefix(PREFIX), ends, n=1)
        meant = f"did you mean {PREFIX}{near[0]}?" if near else ""
        hint = meant or "docs/settings.md lists the variables"
        lines.append(f"{name} is no setting and changes nothing; {hint}")
    return lines
