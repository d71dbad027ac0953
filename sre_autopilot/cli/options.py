"""Options that several subcommands share, and the settings that they change."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from sre_autopilot.cli.errors import BadInput
from sre_autopilot.world.vocabulary import Tier

if TYPE_CHECKING:
    from orchestrator.settings import Settings

BACKEND_HELP = "Where to play: process, docker, simulator or module:Class (else SRE_BACKEND)."

TierOption: TypeAlias = Annotated[Tier, typer.Option(help="How hard the hidden fault is.")]
SeedOption: TypeAlias = Annotated[
    int | None, typer.Option(min=0, help="Seed of the first episode (else drawn, and printed).")
]
BackendOption: TypeAlias = Annotated[str | None, typer.Option(help=BACKEND_HELP)]
RecordDirOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="Folder of the records (else SRE_RECORD_DIR, else below runs/).")
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on standard output.")
]


def listed(names: str) -> list[str]:
    """The names of an option that takes several, between commas or blanks; of none, an empty name,
    which nothing has.
    """
    return names.replace(",", " ").split() or [""]


def read_settings(**overrides: str | None) -> "Settings":
    """The settings of SRE_* variables, with those options in their place that are not None.

    Raises BadInput, which names the variable and what is wrong with it; UnknownName for an option
    that names what does not exist.
    """
    from orchestrator.settings import Settings, naming_variables, variable
    from sre_autopilot.checked_settings import (
        CHECKED,
        check_settings,
        warn_of_unknown_variables,
    )
    from sre_autopilot.errors import InvalidSettings

    chosen = {variable(name): value for name, value in overrides.items() if value}
    from_variables = [name for name in CHECKED if variable(name) not in chosen]
    try:
        settings = Settings.from_env({**os.environ, **chosen})
        with naming_variables(*from_variables):
            check_settings(settings)
    except InvalidSettings as error:
        raise BadInput(str(error)) from error
    warn_of_unknown_variables(os.environ)
    return settings
