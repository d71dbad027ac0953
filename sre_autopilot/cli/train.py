"""`sre-autopilot train`: a policy learns in the simulator, scored beside others."""

import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from sre_autopilot.cli.errors import BadInput, bad_input, on_interrupt
from sre_autopilot.cli.options import JsonOption, listed
from sre_autopilot.cli.output import messages_console, print_json, results_console
from sre_autopilot.distribution import extra_command
from sre_autopilot.world.vocabulary import Tier

if TYPE_CHECKING:
    from sre_autopilot.training.checkpoint import Checkpoint
    from sre_autopilot.training.trainer import Job

BASELINES = "runbook,belief,oracle"
LEARNER = "this training"
RUNS = Path("runs/train")


def command(
    *,
    recipe: Annotated[
        str, typer.Option(help="shipped, terminal-only, or a file of TOML.")
    ] = "shipped",
    seed: Annotated[int, typer.Option(min=0, help="Of all draws of the training.")] = 0,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Steps of all lanes together (else the recipe's).")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the weights are copied to.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint.")] = False,
    score_seeds: Annotated[int, typer.Option(min=1, help="Validation seeds a tier.")] = 300,
    baselines: Annotated[
        str, typer.Option(help='Policies to score beside it, comma-separated; "" for none.')
    ] = BASELINES,
    as_json: JsonOption = False,
) -> None:
    """Train a policy by PPO in the simulator, and write its weights.

    A folder below runs/train, named after recipe and seed, holds a checkpoint, the weights so far,
    scores as JSON lines, and events for TensorBoard. Needs the extra train.

    Example:
      sre-autopilot train --out sre_autopilot/policies/weights/learned.npz
      sre-autopilot train --recipe terminal-only --seed 1
      sre-autopilot train --resume
    """
    if find_spec("torch") is None:
        raise BadInput(f"this command needs torch: {extra_command('train')}")
    from sre_autopilot.training.recipe import Recipe, recipe_text
    from sre_autopilot.training.trainer import WEIGHTS, Job

    with bad_input():
        text = recipe_text(recipe)
        parsed = Recipe.parse(text, samples=samples)
        folder = RUNS / f"{Path(recipe).stem}-{seed}"
        job = Job(
            text=text,
            recipe=parsed,
            seed=seed,
            folder=folder,
            score_seeds=score_seeds,
        )
        resumed = _checkpoint(job) if resume else None
    with on_interrupt(lambda: f"interrupted; go on from the last checkpoint in {folder}: --resume"):
        rows = _baselines(baselines, score_seeds)
        means = _train(job, rows, resumed)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / WEIGHTS, out)
    if as_json:
        print_json({"folder": str(folder), "scores": {**rows, LEARNER: means}})
    else:
        results_console().print(_table({**rows, LEARNER: means}, score_seeds))


def _checkpoint(job: "Job") -> "Checkpoint":
    """Of the same job. Raises BadInput for another's, InvalidValue where there is none."""
    from sre_autopilot.training.checkpoint import Checkpoint

    checkpoint = Checkpoint.load(job.folder)
    same = {
        "--recipe": checkpoint.recipe == job.text,
        "--samples": checkpoint.samples == job.recipe.samples,
        "--seed": checkpoint.seed == job.seed,
    }
    if differing := [option for option, is_same in same.items() if not is_same]:
        raise BadInput(
            f"{', '.join(differing)}: the checkpoint in {job.folder} is of another training; "
            "give what it was begun with, or train without --resume"
        )
    return checkpoint


def _baselines(names: str, score_seeds: int) -> dict[str, Mapping[Tier, float]]:
    from sre_autopilot.policies import load_policy
    from sre_autopilot.training.baselines import baseline_scores

    policies = [name for name in listed(names) if name and load_policy(name)]
    with messages_console().status("scoring the policies beside it") as status:
        return {**baseline_scores(policies, score_seeds, None, status.update)}


def _train(
    job: "Job", rows: Mapping[str, Mapping[Tier, float]], resumed: "Checkpoint | None"
) -> Mapping[Tier, float]:
    """The scores of the trained policy; prints them each time that they are taken."""
    from sre_autopilot.evaluation.progress import progress_bar
    from sre_autopilot.training.trainer import Progress, train

    console = messages_console()
    if rows:
        console.print(_table(rows, job.score_seeds))
    with progress_bar(console) as bar:
        task = bar.add_task("updates", total=job.recipe.updates)

        def watch(progress: Progress) -> None:
            bar.update(task, completed=progress.updates)
            if progress.scores is not None:
                means = ", ".join(f"{tier} {mean:.3f}" for tier, mean in progress.scores.items())
                bar.console.print(f"{progress.samples:,} samples, {progress.cpu_s:.0f} s: {means}")

        network = train(job, watch, resumed)
    return {Tier(tier): mean for tier, mean in network.provenance.scores.items()}


def _table(rows: Mapping[str, Mapping[Tier, float]], score_seeds: int) -> Table:
    """A row a policy, a column a tier."""
    title = f"mean scores, {score_seeds} validation seeds a tier"
    out = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    out.add_column("policy")
    for tier in Tier:
        out.add_column(tier, justify="right")
    for policy, means in rows.items():
        out.add_row(policy, *(f"{means[tier]:.3f}" if tier in means else "" for tier in Tier))
    return out
