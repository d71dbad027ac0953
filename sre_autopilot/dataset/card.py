"""The data set's card: what Hugging Face's `datasets` loads it by, and what a reader must know."""

from collections.abc import Iterable, Mapping, Sequence

from sre_autopilot.dataset.files import SCHEMA, TABLES, Format
from sre_autopilot.world.vocabulary import WORLD_VERSION

CARD = "README.md"


def card(episodes: Mapping[str, int], formats: Sequence[Format], command: str) -> str:
    """The text of README.md.

    episodes: how many each split has. command: made the data set.
    """
    loaded = Format.PARQUET if Format.PARQUET in formats else formats[0]
    return "\n".join(
        [
            *_front_matter(sorted(episodes), loaded),
            "",
            "# SRE Autopilot: recorded incidents",
            "",
            "Episodes of on-call agents that mend real failures among seven small services, with "
            "the truth.",
            "",
            "```bash",
            command,
            "```",
            "",
            "| split | episodes |",
            "| --- | --- |",
            *(f"| {split} | {count} |" for split, count in sorted(episodes.items())),
            "",
            'Hugging Face\'s `datasets` loads one table by `load_dataset("FOLDER", "steps")`, and '
            'the other by `load_dataset("FOLDER", "episodes")`, where FOLDER holds this file.',
            "",
            f"World version {WORLD_VERSION}: scores of different versions cannot be compared. "
            f"`{SCHEMA}` is the JSON Schema of a row.",
            "",
            "**Columns that begin with TRUTH are hidden from agents.** Train a critic or a judge "
            "on them, never a policy that is to be scored. Splits follow the seeds: `test` is for "
            "scores alone.",
            *_columns(),
            "",
        ]
    )


def _front_matter(splits: Sequence[str], loaded: Format) -> Iterable[str]:
    yield from ("---", "license: mit", "tags: [incident-response, reinforcement-learning]")
    yield "configs:"
    for table in TABLES:
        yield f"- config_name: {table}"
        if table == "steps":
            yield "  default: true"
        yield "  data_files:"
        for split in splits:
            yield f"  - split: {split}"
            yield f"    path: {table}/{split}.{loaded}"
    yield "---"


def _columns() -> Iterable[str]:
    for table, kind in TABLES.items():
        yield from ("", f"## {table}", "", "| column | what |", "| --- | --- |")
        for name, field in kind.model_fields.items():
            yield f"| `{name}` | {field.description or ''} |"
