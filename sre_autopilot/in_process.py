"""The environment in this process, without a server: `make_env`."""

from typing import Any

from pydantic import ValidationError

from chaos.tiers import drawing
from orchestrator.backends import make_backend
from orchestrator.environment import Environment
from orchestrator.settings import Settings, valid_values
from sre_autopilot.checked_settings import check_settings
from sre_autopilot.distribution import installation_command
from sre_autopilot.errors import InvalidValue, UnknownName


def make_env(backend: str = "simulator", **settings: Any) -> Environment:
    """An environment that plays in this process.

        with make_env() as env:
            observation = env.reset(seed=1, task_tier="easy")
            observation = env.step({"action": "restart", "service_id": "api_gateway"})
            env.hidden_state()      # the record: what was broken, what was done, the score

    `reset` and `step` give an SREObservation; `reset_async` and `step_async` are the same for async
    code. `close`, or the end of the `with` block, ends everything that was started.

    ### Arguments
    backend: "simulator" needs no process and no time; "process" starts the services on this
        machine, "docker" plays on a stack of containers (both: the extra `live`); or
        "module:Class".
    settings: fields of `orchestrator.settings.Settings`, such as `simulator_of`, `fault`,
        `step_seconds` (s) and `record_dir`. The environment's variables (SRE_...) are not read.

    Nothing is started before the first `reset`. Raises UnknownName for a setting, backend or fault
    that does not exist, or a `simulator_of` to which nothing is fitted; InvalidValue for a value of
    the wrong type or out of its range; ModuleNotFoundError where the backend needs an extra that is
    not installed.
    """
    for name in settings.keys() - Settings.model_fields.keys():
        raise UnknownName("setting", name, tuple(Settings.model_fields))
    try:
        chosen = Settings.model_validate({"backend": backend, **settings})
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        raise InvalidValue(field, settings.get(field, backend), valid_values(field)) from error
    try:
        check_settings(chosen)
        factory = make_backend(chosen)
    except ModuleNotFoundError as error:
        if command := installation_command(error.name or ""):
            error.add_note(f"the backend {backend!r} needs more than a base install: {command}")
        raise
    return Environment(factory, drawing(chosen.fault), chosen.record_dir)
