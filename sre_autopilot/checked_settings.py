"""Settings whose names are checked before anything starts: backend, fault, fitted parameters.

`orchestrator.settings` knows types and ranges alone; the simulator is above it.
"""

from collections.abc import Callable, Mapping

from chaos.tiers import drawing
from orchestrator.backends import make_backend
from orchestrator.backends.base import Backend
from orchestrator.recorder import is_writable
from orchestrator.settings import Settings, naming_variables
from sre_autopilot.errors import InvalidValue
from sre_autopilot.simulator.fitted_files import fitted_file

CHECKED = ("backend", "fault", "simulator_of", "record_dir")
"""Fields that are checked here."""

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
    return settings
