"""What a submission says: the file submission.json, beside the records of its episodes."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError

from sre_autopilot.errors import InvalidValue
from sre_autopilot.grading import Verdict
from sre_autopilot.grading.frozen import Frozen
from sre_autopilot.world.vocabulary import Tier

SUBMISSION = "submission.json"
RECORDS = "records"


class SubmittedEpisode(Frozen):
    """One episode, and the record that proves it."""

    file: str = Field(description="Its record, relative to this file: JSON lines, one episode.")
    sha256: str = Field(description="Of the bytes of that file, hexadecimal.")
    tier: Tier
    seed: int
    score: float = Field(description="As `sre-autopilot grade` grades the record.")
    validity: Verdict = Field(description="As the record says; only valid ones are taken.")


class Submission(Frozen):
    """One version of a policy on one world: every tier named, on every seed of one range."""

    format: Literal[1]
    policy: str = Field(min_length=1)
    policy_version: str = Field(min_length=1)
    world_version: str
    backend: str
    tiers: tuple[Tier, ...] = Field(min_length=1)
    first_seed: int = Field(description="Of the test split, as all of them.")
    seed_count: int = Field(ge=1, description="How many seeds each tier has, without a gap.")
    scores: dict[Tier, float] = Field(description="Mean score of each tier.")
    tokens: int | None = Field(
        None, ge=0, description="Of all episodes together, where a language model played."
    )
    episodes: tuple[SubmittedEpisode, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Of a folder, or of the file in it. Raises InvalidValue, which names the field."""
        file = path / SUBMISSION if path.is_dir() else path
        try:
            return cls.model_validate_json(file.read_bytes())
        except ValidationError as error:
            wrong = error.errors()[0]
            field = ".".join(map(str, wrong["loc"])) or SUBMISSION
            expected = f"what the schema says ({wrong['msg']})"
            value = wrong["input"]
            is_short = isinstance(value, str | int | float)
            raise InvalidValue(field, value if is_short else type(value), expected) from error
        except OSError as error:
            expected = f"a folder that holds {SUBMISSION}, or that file"
            raise InvalidValue("submission", str(path), expected) from error

    def write(self, folder: Path) -> None:
        text = self.model_dump_json(indent=1) + "\n"
        (folder / SUBMISSION).write_text(text, encoding="utf-8")
