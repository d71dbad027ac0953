"""What is hidden of an episode, and where it shows in the bytes that an agent fetches."""

import json
import re
from collections.abc import Iterator
from typing import Any

from chaos.tiers import draw_faults
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, FaultKind, FlapCause, Release, Tier

PUBLIC = {*Service, *ActionName, *Tier}
HIDDEN_NAMES = {*FaultKind, *FlapCause, *Release} - {FaultKind.NONE, Release.CURRENT}
HIDDEN_KEYS = {
    *("true", "fault", "faults", "kind", "root", "cause", "cheap_cure"),
    *("cured_at", "cured_by", "cures", "cure_step", "impairments", "sla_met", "serving", "edges"),
}
Fetched = list[tuple[str, str]]
"""What was asked, and every byte of the answer, headers included."""


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from leaves(part)
    else:
        yield value


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        yield from value if isinstance(value, dict) else ()
        for part in value.values() if isinstance(value, dict) else value:
            yield from keys(part)


def secrets_of(tier: Tier, seed: int) -> tuple[set[str], set[str]]:
    """Texts that reveal the faults of this seed, and keys that would."""
    texts, field_names = set(HIDDEN_NAMES), set(HIDDEN_KEYS)
    for fault in draw_faults(tier, seed):
        parameters = json.loads(json.dumps(fault.parameters()))
        field_names |= set(keys(parameters))
        texts |= {name for name in keys(parameters) if "_" in name}
        for value in leaves(parameters):
            if isinstance(value, str) and value not in PUBLIC:
                texts.add(value)
            elif isinstance(value, float) and value != round(value, 2):
                texts |= {repr(value), f"{value:.5g}"}
    return texts, field_names - PUBLIC


def leaks(fetched: Fetched, secrets: tuple[set[str], set[str]]) -> list[tuple[str, str]]:
    texts, field_names = secrets
    as_key = re.compile(rf'\\?"({"|".join(map(re.escape, field_names))})\\?"\s*:')
    hits = [(asked, secret) for asked, text in fetched for secret in texts if secret in text]
    return hits + [(asked, key) for asked, text in fetched for key in as_key.findall(text)]
