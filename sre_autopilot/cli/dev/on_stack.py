"""`sre-autopilot dev on-stack`: runs a command while a stack of containers of its own is up."""

from typing import Annotated

import typer


def command(
    words: Annotated[list[str], typer.Argument(metavar="-- COMMAND", help="What to run.")],
) -> None:
    """Build the images, start a fresh stack of containers, and run a command that plays in it.

    The command finds the stack in its SRE_* variables; ends with the status of the command. Needs a
    checkout, a Docker engine, and Linux, where the host reaches its containers.

    Example:
      sre-autopilot dev on-stack -- sre-autopilot evaluate --meshes 1 --seeds 2
    """
    from deploy import local_stack

    raise typer.Exit(local_stack.main(words))
