"""The subcommands as data: a name, where its function stands, and one line of help.

To add one: write `sre_autopilot/cli/NAME.py` (for `dev`: `sre_autopilot/cli/dev/NAME.py`) with a
function `command` whose parameters are typer options, and add a line here. Nothing named here is
imported before its command runs, so that `--help` stays quick.
"""

from collections.abc import Mapping
from typing import NamedTuple


class CommandEntry(NamedTuple):
    """Where a subcommand stands, `module:name`, and what `--help` of its group says of it."""

    target: str
    summary: str


COMMANDS: Mapping[str, CommandEntry] = {
    "demo": CommandEntry("sre_autopilot.cli.demo:command", "Watch a policy play three incidents."),
    "play": CommandEntry("sre_autopilot.cli.play:command", "Play an incident yourself."),
    "run": CommandEntry("sre_autopilot.cli.run:command", "Let one policy play, step by step."),
    "serve": CommandEntry("sre_autopilot.cli.serve:command", "Serve the environment over HTTP."),
    "evaluate": CommandEntry("sre_autopilot.cli.evaluate:command", "Score policies over seeds."),
    "train": CommandEntry("sre_autopilot.cli.train:command", "Train a policy in the simulator."),
    "compare": CommandEntry(
        "sre_autopilot.cli.compare:command", "Compare two episodes, results or policies."
    ),
    "watch": CommandEntry("sre_autopilot.cli.watch:command", "Watch a session of a server, live."),
    "replay": CommandEntry("sre_autopilot.cli.replay:command", "Replay a recorded episode."),
    "dataset": CommandEntry(
        "sre_autopilot.cli.dataset:command", "Make a data set of recorded episodes."
    ),
    "harbor": CommandEntry("sre_autopilot.cli.harbor:command", "Write task folders for Harbor."),
    "grade": CommandEntry("sre_autopilot.cli.grade:command", "Grade recorded episodes."),
    "submission": CommandEntry(
        "sre_autopilot.cli.submission:command", "Make a submission of recorded episodes."
    ),
    "debrief": CommandEntry(
        "sre_autopilot.cli.debrief:command",
        "Say what would have been better in a record, and when.",
    ),
    "doctor": CommandEntry("sre_autopilot.cli.doctor:command", "Check this machine."),
    "bench": CommandEntry("sre_autopilot.cli.bench:command", "Measure the speed of a backend."),
    "chaos-test": CommandEntry(
        "sre_autopilot.cli.chaos_test:command", "Kill every part, and check what is left."
    ),
    "dev": CommandEntry("sre_autopilot.cli.app:dev_app", "Commands for work on the project."),
}

DEV_COMMANDS: Mapping[str, CommandEntry] = {
    "generate": CommandEntry(
        "sre_autopilot.cli.dev.generate:command", "Write the generated files anew."
    ),
    "on-stack": CommandEntry(
        "sre_autopilot.cli.dev.on_stack:command", "Run a command on a fresh stack of containers."
    ),
    "golden-episodes": CommandEntry(
        "tests.sre_autopilot.simulator.golden_episodes:main",
        "Play the simulator's golden episodes anew (after a change of the world).",
    ),
    "calibrate": CommandEntry(
        "sre_autopilot.cli.dev.calibrate:command", "Fit the simulator to recordings."
    ),
    "pack-recordings": CommandEntry(
        "sre_autopilot.cli.dev.pack_recordings:command",
        "Pack records of episodes into one file of recordings.",
    ),
    "sim-to-real": CommandEntry(
        "sre_autopilot.cli.dev.sim_to_real:command",
        "Compare the simulator with recordings of real backends.",
    ),
    "calibrate-validity": CommandEntry(
        "sre_autopilot.cli.dev.calibrate_validity:command",
        "Check what is called a busy machine, beside busy threads.",
    ),
    "score-checks": CommandEntry(
        "sre_autopilot.cli.dev.score_checks:command",
        "Check the scores of all policies in the simulator.",
    ),
    "check-debrief": CommandEntry(
        "sre_autopilot.cli.dev.check_debrief:command",
        "Try what a debrief calls better on a mesh.",
    ),
    "ladder": CommandEntry(
        "sre_autopilot.cli.dev.ladder:command", "Play the ladder of policies, and write its page."
    ),
    "generalisation": CommandEntry(
        "sre_autopilot.cli.dev.generalisation:command",
        "Score policies in worlds that they were not made for.",
    ),
    "check-ledgers": CommandEntry(
        "sre_autopilot.cli.dev.check_ledgers:command",
        "Check that debriefs of simulated records add up.",
    ),
    "hard-bound": CommandEntry(
        "sre_autopilot.cli.dev.hard_bound:command",
        "Estimate what no agent without the truth can exceed on hard.",
    ),
    "sbom": CommandEntry(
        "sre_autopilot.cli.dev.sbom:command", "Write software bills of materials from the locks."
    ),
    "plot-episode": CommandEntry(
        "sre_autopilot.cli.dev.plot_episode:command", "Draw a recorded episode."
    ),
    "plot-prometheus": CommandEntry(
        "sre_autopilot.cli.dev.plot_prometheus:command", "Draw the last minutes of a stack."
    ),
}
