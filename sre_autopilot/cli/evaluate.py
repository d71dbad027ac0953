"""`sre-autopilot evaluate`: policies x tiers x seeds on one backend, resumable, with intervals."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from chaos.tiers import drawing
from orchestrator.backends import make_backend
from orchestrator.settings import Settings
from orchestrator.validation import parse_tier
from sre_autopilot.cli.errors import FAILED, BadInput, bad_input, on_interrupt
from sre_autopilot.cli.options import BackendOption, JsonOption, listed, read_settings
from sre_autopilot.cli.output import messages_console, print_json, results_console
from sre_autopilot.evaluation.results import Result, cells, read_results
from sre_autopilot.evaluation.run import (
    DEFAULT_POLICIES,
    TEST_SEEDS_FROM,
    Job,
    Meshes,
    Players,
    missing,
    of_other_weights,
    play_all,
    replay_text,
    table,
)
from sre_autopilot.evaluation.servers import Servers
from sre_autopilot.policies import load_policy
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, WORLD_VERSION


def command(
    *,
    policies: Annotated[str, typer.Option(help="Comma-separated: names or module:Class.")] = (
        ",".join(DEFAULT_POLICIES)
    ),
    tiers: Annotated[str, typer.Option(help="Comma-separated.")] = ",".join(DEFAULT_TIERS),
    seeds: Annotated[int, typer.Option(min=1, help="Seeds a tier.")] = 10,
    first_seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = TEST_SEEDS_FROM,
    meshes: Annotated[
        int, typer.Option(min=1, help="Meshes played on side by side; of each server.")
    ] = 2,
    workers: Annotated[
        str | None, typer.Option(help="Comma-separated URLs of servers that play instead.")
    ] = None,
    ray: Annotated[
        str | None, typer.Option(help="Ray cluster that plays instead: auto, or host:port.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Results, JSON lines.")] = Path("runs/evaluate.jsonl"),
    backend: BackendOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score policies over seeds: mean, 95 % interval, recoveries.

    Episodes whose results OUT holds are not played again, so that an interrupted evaluation goes on
    where it ended; those are that were played while the machine was too busy, in a broken world, or
    by other weights than the policy has now. Records of the episodes go to the folder `episodes`
    beside OUT.

    Example:
      sre-autopilot evaluate --backend simulator --seeds 100
      sre-autopilot evaluate --policies oracle,my_module:MyPolicy --tiers hard
      sre-autopilot evaluate --workers http://one:8000,http://two:8000
      sre-autopilot evaluate --ray auto --seeds 100
    """
    settings = read_settings(backend=backend)
    with bad_input():
        jobs = _jobs(policies, tiers, range(first_seed, first_seed + seeds))
        players, settings, width = _players(settings, out, meshes, workers=workers, ray=ray)
        out = _own_file(out, settings.fault)
        earlier_results = read_results(out, settings.backend)
        out.parent.mkdir(parents=True, exist_ok=True)
    todo = missing(jobs, earlier_results)
    if outdated := of_other_weights(jobs, earlier_results):
        names = ", ".join(sorted({result.policy for result in outdated}))
        messages_console().print(
            f"{len(outdated)} results in {out} are of other weights of {names}: played anew",
            soft_wrap=True,
            markup=False,
        )
    with on_interrupt(lambda: _progress_text(jobs, out, settings)):
        failed = play_all(todo, players, out, width=width)
    results = _of(jobs, read_results(out, settings.backend))
    if as_json:
        print_json({"out": str(out), "failed": failed, **_as_json(results)})
    else:
        results_console().print(table(results))
        if text := replay_text(results):
            messages_console().print(text, soft_wrap=True, markup=False)
    if failed:
        messages_console().print(
            f"{failed} episodes failed; run the same command to play them again"
        )
        raise typer.Exit(FAILED)


def _jobs(policies: str, tiers: str, seeds: range) -> list[Job]:
    """Every policy on every tier and seed, the seeds outermost. Raises UnknownName."""
    names = [name for name in listed(policies) if load_policy(name)]
    on = [parse_tier(tier) for tier in listed(tiers)]
    return [Job(name, tier, seed) for seed in seeds for tier in on for name in names]


def _players(
    settings: Settings, out: Path, meshes: int, *, workers: str | None, ray: str | None
) -> tuple[Players, Settings, int]:
    """Where to play, the settings that hold there, and how many episodes at once.

    Raises InvalidValue, UnknownName, BadInput; ModuleNotFoundError without the extra ray.
    """
    records = out.parent / "episodes"
    if workers is not None and ray is not None:
        raise BadInput("--workers and --ray: only one of them can play")
    if workers is not None:
        token = settings.state_token
        urls = listed(workers)
        servers = Servers(urls, records, None if token is None else token.get_secret_value())
        theirs = settings.model_copy(update={"backend": servers.check(), "fault": None})
        return servers, theirs, meshes * len(urls)
    if ray is not None:
        from sre_autopilot.evaluation.ray_cluster import RayHosts

        hosts = RayHosts(ray, settings, records)
        return hosts, settings, hosts.width
    return Meshes(make_backend(settings), records, drawing(settings.fault)), settings, meshes


def _own_file(out: Path, fault: str | None) -> Path:
    """The results of a fault that replaces the tiers' own never mix with the others'."""
    return out if fault is None else out.with_stem(f"{out.stem}-{fault.replace(':', '-')}")


def _of(jobs: Sequence[Job], results: Sequence[Result]) -> list[Result]:
    """The results of these jobs, in their order."""
    order = {job: place for place, job in enumerate(jobs)}
    chosen = [r for r in results if Job.of(r) in order]
    return sorted(chosen, key=lambda r: order[Job.of(r)])


def _progress_text(jobs: Sequence[Job], out: Path, settings: Settings) -> str:
    played = len(jobs) - len(missing(jobs, read_results(out, settings.backend)))
    return (
        f"interrupted: {played} of {len(jobs)} episodes are in {out}; "
        "run the same command to play the rest"
    )


def _as_json(results: Sequence[Result]) -> dict[str, Any]:
    return {
        "world_version": WORLD_VERSION,
        "cells": [cell.as_json() for cell in cells(results)],
        "left_out": [r.model_dump(mode="json") for r in results if not r.counts],
        "results": [result.model_dump(mode="json") for result in results],
    }
