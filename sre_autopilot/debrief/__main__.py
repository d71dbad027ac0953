"""Reviews one record in a process of its own: `python -m sre_autopilot.debrief FORMAT < RECORD`.

For servers, whose process stays free for its sessions: this one takes the lowest priority. Exits
with status 2 and a line on standard error for a record that cannot be replayed.
"""

import os
import sys

from sre_autopilot.debrief.review import Format, review, written
from sre_autopilot.errors import SREError
from sre_autopilot.grading import RecordError, read_episodes

LOWEST_PRIORITY, BAD_INPUT = 19, 2


def main() -> int:
    os.nice(LOWEST_PRIORITY)
    try:
        record = list(read_episodes(sys.stdin))[-1]
        text = written(record, review(record), Format(sys.argv[1]))
    except (SREError, RecordError) as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
