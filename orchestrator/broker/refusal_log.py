"""The broker's log of refusals: apart from what it has carried out, and bounded in rate.

Somebody who sends nonsense by the hundred could otherwise push the lines of real orders out of a
log that keeps so many.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable

LINES_PER_MINUTE = 10
"""Of each reason; the metric counts all refusals."""
MINUTE_S = 60.0

log = logging.getLogger("orchestrator.broker.refusals")


class RefusalLog:
    """Writes a line for each refusal, up to LINES_PER_MINUTE of its reason in a minute.

    clock: seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_s = clock()
        self._counts: Counter[str] = Counter()

    def refused(self, reason: str, method: str, path: str, detail: object) -> None:
        """Says what was refused and why; sizes are bounded too, and all is quoted."""
        now = self._clock()
        if now - self._began_s >= MINUTE_S:
            self._say_left_out()
            self._began_s = now
        self._counts[reason] += 1
        if self._counts[reason] <= LINES_PER_MINUTE:
            log.warning(
                "refused reason=%s method=%s path=%.100r detail=%.300r",
                *(reason, method, path, detail),
            )

    def _say_left_out(self) -> None:
        for reason, count in self._counts.items():
            if count > LINES_PER_MINUTE:
                log.warning("refused reason=%s left_out=%d", reason, count - LINES_PER_MINUTE)
        self._counts.clear()
