"""`sre-autopilot dev check-debrief`: suggested actions, tried on a mesh."""

from pathlib import Path
from typing import Annotated

import typer

from sre_autopilot.cli.errors import BadInput
from sre_autopilot.cli.options import BackendOption, read_settings
from sre_autopilot.cli.output import messages_console, results_console


def command(
    records: Annotated[list[Path], typer.Argument(help="Records of episodes, JSON lines.")],
    count: Annotated[int, typer.Option(min=1, help="Suggestions to try, two episodes each.")] = 30,
    backend: BackendOption = None,
) -> None:
    """Play what a debrief calls better on a mesh, and what was done, and compare the scores.

    Example:
      sre-autopilot dev check-debrief docs/examples/episode.jsonl --count 1
    """
    from orchestrator.backends import make_backend
    from orchestrator.environment import Environment
    from sre_autopilot.cli.grade import read
    from sre_autopilot.debrief.document import named
    from sre_autopilot.evaluation.debrief_check import check, suggestions

    settings = read_settings(backend=backend)
    episodes = [episode.record for file in records for episode in read(file)]
    with messages_console().status(f"debriefing {len(episodes)} records"):
        suggested = suggestions(episodes, count)
    if not suggested:
        raise BadInput("no record has a step that is surely better played in another way")
    held = 0
    with Environment(make_backend(settings)) as environment:
        for number, suggestion in enumerate(suggested, start=1):
            outcome = check(environment, suggestion)
            held += outcome.holds
            results_console().print(
                f"{number} of {len(suggested)}: {suggestion.record.tier} "
                f"{suggestion.record.seed}, step {suggestion.step}: {named(suggestion.better)} "
                f"{outcome.score_of_better:.3f}, {named(suggestion.taken)} "
                f"{outcome.score_of_taken:.3f}, expected {suggestion.gain:+.3f}",
                soft_wrap=True,
            )
    share = held / len(suggested)
    results_console().print(f"better on the mesh, too: {held} of {len(suggested)} ({share:.0%})")
