"""When a model may be asked again, as the headers of its last answer say."""

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime

from sre_autopilot.llm.prompt import TOKENS_A_CALL

UNIT_S = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "": 1.0}
NUMBER = r"[0-9]+(?:\.[0-9]+)?"


def seconds(text: str) -> float | None:
    """Seconds of "1.5s", "6m0s", "20ms" or "7"; None for anything else."""
    is_duration = re.fullmatch(rf"(?:{NUMBER}(?:ms|[dhms]))+|{NUMBER}", text.strip())
    parts = re.findall(rf"({NUMBER})(ms|[dhms]|)", text) if is_duration else []
    return sum(float(number) * UNIT_S[unit] for number, unit in parts) if parts else None


def pause_s(headers: Mapping[str, str]) -> float:
    """How long the next call must wait, as the headers of the last answer say."""
    waits = [seconds(retry_after := headers.get("retry-after", "")) or 0.0]
    with suppress(ValueError, OverflowError):
        waits.append(parsedate_to_datetime(retry_after).timestamp() - time.time())
    for kind, needed in (("requests", 1), ("tokens", TOKENS_A_CALL)):
        left = seconds(headers.get(f"x-ratelimit-remaining-{kind}", ""))
        if left is not None and left < needed:
            waits.append(seconds(headers.get(f"x-ratelimit-reset-{kind}", "")) or 0.0)
    return max(waits)
