"""Postmortem and debrief of one record together, in any of three formats."""

from enum import StrEnum

from sre_autopilot.debrief import document
from sre_autopilot.debrief.postmortem import Postmortem, postmortem
from sre_autopilot.debrief.report import Debrief, debrief
from sre_autopilot.grading import EpisodeRecord
from sre_autopilot.grading.frozen import Frozen


class Format(StrEnum):
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


class Review(Frozen):
    postmortem: Postmortem
    debrief: Debrief


def review(record: EpisodeRecord, simulator_of: str | None = None) -> Review:
    """Raises as `debrief`."""
    made = debrief(record, simulator_of=simulator_of)
    return Review(postmortem=postmortem(record), debrief=made)


def written(record: EpisodeRecord, of: Review, format_: Format, picture: str | None = None) -> str:
    """picture: address of the episode's picture, which JSON leaves out."""
    if format_ is Format.JSON:
        return of.model_dump_json(indent=2) + "\n"
    title = document.title_of(record)
    sections = document.sections(record, of.postmortem, of.debrief)
    write = document.as_html if format_ is Format.HTML else document.as_markdown
    return write(title, sections, picture)
