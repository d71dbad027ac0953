"""`sre-autopilot submission`: a policy's records as a folder that others can check."""

from pathlib import Path
from shutil import rmtree
from typing import Annotated

import typer

from sre_autopilot.cli.errors import BadInput, bad_input
from sre_autopilot.cli.output import results_console


def command(
    out: Annotated[Path, typer.Argument(help="Folder to write; new.")],
    *,
    records: Annotated[
        list[Path], typer.Option(help="Records of the episodes: files, or folders of them.")
    ],
    policy: Annotated[str, typer.Option(help="Name of the policy, as its records have it.")],
    policy_version: Annotated[str, typer.Option(help="Which version of it played.")],
    tokens: Annotated[
        int | None, typer.Option(min=0, help="Of all episodes together, if a model played.")
    ] = None,
) -> None:
    """Make a submission: records of every seed of a range, with their hashes and scores.

    Takes the finished, valid episodes of the policy, and those that name none: the first one of
    each tier and seed of the test split. It is checked as `grade --submission` does.

    Example:
      sre-autopilot submission mine --records runs --policy me --policy-version 1
      sre-autopilot grade --submission mine
    """
    from sre_autopilot.cli.grade import read
    from sre_autopilot.dataset.sources import record_files
    from sre_autopilot.evaluation.submission.check import checked
    from sre_autopilot.evaluation.submission.make import chosen, write

    if out.exists():
        raise BadInput(f"{out}: exists already; name a new folder")
    with bad_input():
        episodes = [episode.record for file in record_files(records) for episode in read(file)]
        by_episode = chosen(episodes, policy)
        try:
            write(by_episode, out, policy, policy_version, tokens=tokens)
            results = checked(out)
        except BaseException:  # Ctrl-C and a full disk too: half a submission is none
            rmtree(out, ignore_errors=True)
            raise
    results_console().print(f"{len(results)} episodes: {out}", soft_wrap=True, markup=False)
