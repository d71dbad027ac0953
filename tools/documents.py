"""Writes the generated parts of the documents: tables, excerpts and numbers in sentences.

`python -m tools.documents` rewrites, in place, what stands between `<!-- generated:NAME -->` and
`<!-- /generated -->`, and between `<!-- n:NAME -->` and `<!-- /n -->`. It never touches other text.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from tools import excerpts, kill_tables, ladder_tables, project_tables, world_tables
from tools.facts import fact

ROOT = Path(__file__).parents[1]
DOCUMENTS = (
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "docs" / "decisions" / "README.md",
)

BLOCK = re.compile(r"(?s)(<!-- generated:(\w+) -->\n).*?(<!-- /generated -->)")
NUMBER = re.compile(r"(<!-- n:(\w+) -->)[^<]*(<!-- /n -->)")

BLOCKS: Mapping[str, Callable[[], str]] = {
    block.__name__: block
    for block in (
        world_tables.graph,
        world_tables.services,
        world_tables.actions,
        world_tables.refusals,
        world_tables.tiers,
        world_tables.faults,
        world_tables.flaps,
        world_tables.score,
        world_tables.numbers,
        project_tables.commands,
        project_tables.dev_commands,
        project_tables.targets,
        project_tables.settings,
        project_tables.decisions,
        project_tables.trainers,
        excerpts.screen,
        excerpts.summary,
        excerpts.explained,
        excerpts.results,
        excerpts.scores_by_tier,
        excerpts.on_containers,
        kill_tables.kills,
        ladder_tables.ladder_state,
        ladder_tables.ladder_scores,
        ladder_tables.ladder_diagnosis,
        ladder_tables.ladder_profiles,
        ladder_tables.submission_schema,
    )
}
"""Name of a generated block -> what writes it."""


def rewritten(text: str) -> str:
    """`text` with every generated part renewed. Raises KeyError for a name that does not exist."""
    text = BLOCK.sub(lambda mark: f"{mark[1]}{BLOCKS[mark[2]]()}\n{mark[3]}", text)
    return NUMBER.sub(lambda mark: f"{mark[1]}{fact(mark[2])}{mark[3]}", text)


def main() -> None:
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        renewed = rewritten(text)
        if renewed != text:
            document.write_text(renewed, encoding="utf-8")


if __name__ == "__main__":
    main()
