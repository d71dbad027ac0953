"""`sre-autopilot dev sbom`: what the images and this checkout are made of, as CycloneDX."""

from pathlib import Path
from typing import Annotated

import typer

from sre_autopilot.cli.errors import bad_input


def command(
    out: Annotated[Path, typer.Option(help="Folder of the files.")] = Path("dist/sbom"),
) -> None:
    """Write a software bill of materials for each lock, in CycloneDX's JSON.

    `server` is what the image sre-env holds, `mesh` the image of the services, `dev` a checkout.
    Needs a checkout, and no network.

    Example:
      sre-autopilot dev sbom --out dist/sbom
    """
    from tools import sbom

    with bad_input("--out"):
        files = sbom.write(out)
    for file in files:
        typer.echo(str(file))
