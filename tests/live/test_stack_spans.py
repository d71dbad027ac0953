"""Spans reach a collector of the user's, and the orchestrator's own windows as well."""

from collections import Counter

import pytest

from sre_autopilot.grading import EpisodeRecord, read_episodes
from sre_autopilot.world.stack import Part
from sre_autopilot.world.topology import CALLS, USERS
from sre_autopilot.world.vocabulary import Tier
from tests.live.conftest import BUILD_TIMEOUT_S, Report
from tests.live.whole_stack import Game, wait_until

pytestmark = [pytest.mark.live, pytest.mark.timeout(BUILD_TIMEOUT_S + 300)]

FOLDER = "/tmp/spans-test"
EASY_SEED = 14
ARRIVED_WITHIN_S = 15.0
"""The batches for people go every 5 s."""
EDGES = {(caller, callee) for caller, callees in CALLS.items() for callee in callees}
BEHIND_THE_GATEWAY = 2


def recorded(game: Game) -> EpisodeRecord:
    """An episode that the orchestrator plays itself, with all that it saw."""
    game.end()
    inside = ("exec", "-T", Part.ORCHESTRATOR)
    game.up.compose(
        *inside, "python", "-m", "sre_autopilot.cli", "evaluate", "--policies=oracle", "--seeds=1",
        f"--tiers={Tier.EASY}", f"--first-seed={EASY_SEED}", f"--out={FOLDER}/out.jsonl",
    )  # fmt: skip
    lines = game.up.compose(*inside, "sh", "-c", f"cat {FOLDER}/episodes/*; rm -r {FOLDER}")
    (record,) = read_episodes(lines.splitlines())
    return record


def test_a_record_names_traces_that_the_collector_has(game: Game, report: Report) -> None:
    record = recorded(game)
    services = game.collector.services
    last = record.steps[-1]
    edges = {(edge.caller, edge.callee) for edge in last.edges}
    assert edges >= EDGES, "the windows of the orchestrator have their spans"
    traces = {edge.trace_id for edge in last.edges if edge.caller != USERS}
    waited_s = wait_until(
        lambda: all(len(services.get(str(trace), ())) >= BEHIND_THE_GATEWAY for trace in traces),
        ARRIVED_WITHIN_S,
    )
    sizes = Counter(len(services[str(trace)]) for trace in traces)
    report("services in a record's traces, at the collector", f"{dict(sizes)}, {waited_s:.1f} s")
