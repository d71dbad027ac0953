"""`sre-autopilot compare`: two records step by step, or two sets of scores on the same seeds."""

import csv
import json
import sys
from collections.abc import Sequence
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from chaos.tiers import drawing
from orchestrator.backends import make_backend
from orchestrator.settings import Settings
from orchestrator.validation import parse_tier
from sre_autopilot.cli.errors import BadInput, bad_input, on_interrupt
from sre_autopilot.cli.grade import read
from sre_autopilot.cli.options import BACKEND_HELP, JsonOption, listed, read_settings
from sre_autopilot.cli.output import messages_console, print_json, results_console
from sre_autopilot.evaluation import markdown
from sre_autopilot.evaluation.compare_records import (
    RecordComparison,
    caveat_lines,
    compare_records,
    difference_text,
    record_tables,
    summary_rows,
)
from sre_autopilot.evaluation.compare_results import (
    ResultsComparison,
    compare_results,
    results_table,
)
from sre_autopilot.evaluation.many_seeds import Advance, VectorEvaluator
from sre_autopilot.evaluation.progress import progress_bar
from sre_autopilot.evaluation.results import Result, Scored, read_results
from sre_autopilot.evaluation.run import TEST_SEEDS_FROM, Job, Meshes, run
from sre_autopilot.grading import EpisodeRecord
from sre_autopilot.policies import load_policy
from sre_autopilot.simulator import NAME
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, Tier


class Kind(Enum):
    """What one side of a comparison is."""

    RECORDS = "records of episodes"
    RESULTS = "results of `evaluate`"
    POLICY = "a policy"


class Options(NamedTuple):
    """How policies are played."""

    tiers: str
    seeds: range
    backend: str
    meshes: int


def command(
    a: Annotated[str, typer.Argument(help="A file of records or results, or a policy.")],
    b: Annotated[str, typer.Argument(help="The same kind of thing; differences are B - A.")],
    *,
    tiers: Annotated[str, typer.Option(help="Policies: comma-separated.")] = (
        ",".join(DEFAULT_TIERS)
    ),
    seeds: Annotated[int, typer.Option(min=1, help="Policies: seeds a tier.")] = 20,
    first_seed: Annotated[int, typer.Option(min=0, help="Policies: the first seed.")] = (
        TEST_SEEDS_FROM
    ),
    backend: Annotated[str, typer.Option(help=BACKEND_HELP)] = "simulator",
    meshes: Annotated[int, typer.Option(min=1, help="Policies: meshes side by side.")] = 1,
    as_json: JsonOption = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Two records: print their summary as Markdown.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="The same as CSV.")] = False,
) -> None:
    """Compare two episodes step by step, or the scores of two files or policies on equal seeds.

    Differences of scores are paired by tier and seed; bold ones have an interval without 0.
    Policies play all seeds at once in the simulator, unless with more than one of --meshes, with
    SRE_FAULT or with SRE_RECORD_DIR.

    Example:
      sre-autopilot compare runs/a.jsonl runs/b.jsonl
      sre-autopilot compare runs/a.jsonl runs/b.jsonl --csv
      sre-autopilot compare runbook my_module:MyPolicy --tiers hard --seeds 50
    """
    if as_json + as_markdown + as_csv > 1:
        raise BadInput("--json, --markdown, --csv: one of them")
    options = Options(tiers, range(first_seed, first_seed + seeds), backend, meshes)
    comparison = compared(a, b, options)
    if as_json:
        print_json(comparison.as_json())
    elif isinstance(comparison, RecordComparison):
        _print_records(comparison, as_markdown=as_markdown, as_csv=as_csv)
    elif as_markdown or as_csv:
        raise BadInput(f"--markdown, --csv: for two {Kind.RECORDS.value} alone")
    else:
        results_console().print(results_table(comparison))
        unpaired = comparison.unpaired_a + comparison.unpaired_b
        if unpaired:
            messages_console().print(f"{unpaired} episodes have no partner and are left out")


def _print_records(comparison: RecordComparison, *, as_markdown: bool, as_csv: bool) -> None:
    if as_markdown:
        head, *rows = summary_rows(comparison)
        typer.echo(markdown.table(head, rows), nl=False)
    elif as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(summary_rows(comparison))
    else:
        results_console().print(*record_tables(comparison), difference_text(comparison))
    for line in caveat_lines(comparison):
        messages_console().print(line, soft_wrap=True, markup=False)


def compared(a: str, b: str, options: Options) -> RecordComparison | ResultsComparison:
    """Raises BadInput where the two sides cannot be compared."""
    kind_a, kind_b = kind_of(a), kind_of(b)
    if kind_a is not kind_b:
        raise BadInput(f"A is {kind_a.value}, B is {kind_b.value}; both must be the same kind")
    if kind_a is Kind.POLICY:
        scores_a, scores_b = played(a, b, options)
        with bad_input():
            return compare_results(scores_a, scores_b)
    with bad_input():
        if kind_a is Kind.RESULTS:
            return compare_results(
                trusted(a, read_results(Path(a))), trusted(b, read_results(Path(b)))
            )
        records_a, records_b = records(a), records(b)
        if len(records_a) == len(records_b) == 1:
            return compare_records(records_a[0], records_b[0])
        return compare_results(trusted(a, scores(records_a)), trusted(b, scores(records_b)))


def trusted(name: str, results: Sequence[Result]) -> list[Result]:
    """Those whose scores can be trusted; says how many cannot."""
    kept = [result for result in results if result.counts]
    if left_out := len(results) - len(kept):
        messages_console().print(
            f"{name}: {left_out} of {len(results)} results cannot be trusted and are left out",
            soft_wrap=True,
            markup=False,
        )
    return kept


def kind_of(side: str) -> Kind:
    """What a side is, from the first line of the file. Raises BadInput."""
    path = Path(side)
    if not path.is_file():
        if path.is_dir():
            raise BadInput(f"{side}: a folder; name one of its files")
        if path.suffix == ".jsonl":
            raise BadInput(f"{side}: no such file")
        load_policy(side)
        return Kind.POLICY
    with bad_input(side), path.open(encoding="utf-8") as lines:
        first = _json(next(lines, ""))
    match first:
        case {"type": "episode"}:
            return Kind.RECORDS
        case {"policy": _, "score": _}:
            return Kind.RESULTS
    raise BadInput(f"{side}: neither {Kind.RECORDS.value} nor {Kind.RESULTS.value}")


def _json(line: str) -> Any:
    """What a line of JSON holds; None where it is no JSON."""
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


def records(file: str) -> list[EpisodeRecord]:
    return [episode.record for episode in read(Path(file))]


def scores(of_records: Sequence[EpisodeRecord]) -> list[Result]:
    return [Result.of(record, record.policy or "unknown") for record in of_records]


def played(a: str, b: str, options: Options) -> tuple[list[Scored], list[Scored]]:
    """Both policies on every tier and seed. Raises UnknownName, BackendError, MissingField."""
    settings = read_settings(backend=options.backend)
    on = tuple(parse_tier(tier) for tier in listed(options.tiers))
    policies = tuple(dict.fromkeys((a, b)))
    jobs = [Job(policy, tier, s) for s in options.seeds for tier in on for policy in policies]
    with (
        on_interrupt(lambda: "interrupted; nothing was kept"),
        progress_bar(messages_console()) as progress,
    ):
        advance = partial(progress.advance, progress.add_task("episodes", total=len(jobs)))
        if _at_once(settings, options):
            # NumPy: the policies take most of the time, and Numba may have to compile first.
            evaluator = VectorEvaluator(options.seeds, NUMPY, settings.simulator_of)
            results = {policy: _scores(evaluator, policy, on, advance) for policy in policies}
        else:
            meshes = Meshes(make_backend(settings), settings.record_dir, drawing(settings.fault))
            results = _play_on(meshes, jobs, options.meshes, advance)
    return results[a], results[b]


def _at_once(settings: Settings, options: Options) -> bool:
    """Whether the vector simulator can play all seeds of a policy side by side.

    It keeps no records and draws the tiers' own faults. Meshes are for policies that wait for
    something else, such as a model: threads play those sooner than one lane after the other.
    """
    plain = settings.fault is None and settings.record_dir is None
    return settings.backend == NAME and plain and options.meshes == 1


def _scores(
    evaluator: VectorEvaluator, policy: str, on: Sequence[Tier], advance: Advance
) -> list[Scored]:
    """Of one policy on some tiers."""
    episodes = [each for tier in on for each in evaluator.episodes(policy, tier, advance)]
    # As many digits as the results of `evaluate` have.
    return [each._replace(score=round(each.score, 6)) for each in episodes]


def _play_on(
    meshes: Meshes, jobs: Sequence[Job], width: int, advance: Advance
) -> dict[str, list[Scored]]:
    """By policy: episode by episode, `width` at once, on any backend. Closes the meshes."""
    results: dict[str, list[Result]] = {job.policy: [] for job in jobs}
    try:
        for job, future in run(jobs, meshes, width):
            results[job.policy].append(future.result())
            advance(1)
    finally:
        meshes.close()
    return {policy: [*trusted(policy, of_policy)] for policy, of_policy in results.items()}
