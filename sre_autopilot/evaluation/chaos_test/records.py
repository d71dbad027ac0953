"""What a record is worth after a kill: what the grader says of its file."""

from pathlib import Path

from sre_autopilot import grading

NONE, ABORTED, UNFINISHED, FINISHED = "none", "aborted", "unfinished", "finished"


def graded(file: Path) -> tuple[str, str | None]:
    """The state of the record in `file`, and what is wrong with it, if anything.

    NONE: no window had been recorded. ABORTED: its program was killed. UNFINISHED: the episode was
    given up. FINISHED: it was played to its end. All but NONE were graded.
    """
    try:
        with file.open(encoding="ascii") as lines:
            records = list(grading.read_episodes(lines))
        for record in records:
            grading.grade(record)
    except FileNotFoundError:
        return NONE, None
    except (OSError, grading.RecordError) as error:
        return NONE, f"the record cannot be graded: {error}"
    if not records:
        return NONE, None
    if records[-1].aborted:
        return ABORTED, None
    return (FINISHED if records[-1].finished else UNFINISHED), None
