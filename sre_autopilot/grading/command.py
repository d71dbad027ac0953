"""`python grader.py FILE [--explain]`: grades the episodes of a file."""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from sre_autopilot.grading.record import EpisodeRecord
from sre_autopilot.grading.record_file import RecordError, read_episodes
from sre_autopilot.grading.score import WEIGHTS, grade


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, 1 where a stored score is not what comes out now, 2 for a bad file."""
    parser = argparse.ArgumentParser(description="Grade recorded episodes.")
    parser.add_argument("path", type=Path, help="JSON lines, as the environment writes them")
    parser.add_argument("--explain", action="store_true", help="say where points went")
    options = parser.parse_args(arguments)
    try:
        with options.path.open(encoding="utf-8") as lines:
            agree = [_report(record, options.explain) for record in read_episodes(lines)]
        if not agree:
            raise RecordError("no episode in it")
    except (OSError, RecordError, UnicodeDecodeError) as error:
        print(f"{options.path}: {error}", file=sys.stderr)
        return 2
    return 0 if all(agree) else 1


def _report(record: EpisodeRecord, explain: bool) -> bool:
    """Prints one episode; whether its stored score, if any, is the one that comes out now."""
    score, validity = grade(record), record.checked_validity
    terms = " ".join(f"{term}={getattr(score, term):.3f}" for term in ("total", *WEIGHTS))
    who = f"{record.tier} seed={record.seed} backend={record.backend} policy={record.policy}"
    print(f"{who} {terms} recovered_at={score.recovered_at} validity={validity.verdict}")
    for caveat in record.caveats:
        print(f"  note: {caveat}")
    agrees = record.score is None or math.isclose(record.score, score.total, abs_tol=1e-9)
    if not agrees:
        print(f"  note: the stored score is {record.score}")
    for reason in validity.reasons if explain else ():
        print(f"  validity: {reason}")
    for points, reason in score.reasons if explain else ():
        print(f"  -{points:.3f}  {reason}")
    return agrees
