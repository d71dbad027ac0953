"""The environment in this process, without a server: `make_env`."""

from typing import Any

from chaos.tiers import drawing
from orchestrator.backends import make_backend
from orchestrator.environment import Environment
from orchestrator.settings import Settings
from sre_autopilot.distribution import installation_command
from sre_autopilot.errors import UnknownName


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

    Nothing is started before the first `reset`. Raises UnknownName for a backend, fault or setting
    that does not exist, pydantic.ValidationError for a value out of range, ModuleNotFoundError
    where the backend needs an extra that is not installed.
    """
    for name in settings.keys() - Settings.model_fields.keys():
        raise UnknownName("setting", name, tuple(Settings.model_fields))
    chosen = Settings.model_validate({"backend": backend, **settings})
    try:
        factory = make_backend(chosen)
    except ModuleNotFoundError as error:
        if command := installation_command(error.name or ""):
            error.add_note(f"the backend {backend!r} needs more than a base install: {command}")
        raise
    return Environment(factory, drawing(chosen.fault), chosen.record_dir)
