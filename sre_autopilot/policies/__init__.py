"""The registry of policies: the shipped ones by name, others' as "module:Class"."""

import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import cast

from orchestrator.episode import Episode
from sre_autopilot.errors import UnknownName
from sre_autopilot.plugins import Registry, resolve, valid_names
from sre_autopilot.policies.policy import Briefing, Policy
from sre_autopilot.world.vocabulary import ActionName

POLICIES: Registry = {
    "oracle": "sre_autopilot.policies.oracle:Oracle",
    "runbook": "sre_autopilot.policies.runbook:Runbook",
    "belief": "sre_autopilot.policies.belief:Belief",
    "learned": "sre_autopilot.policies.learned:Learned",
    "heuristic": "sre_autopilot.policies.heuristic:Heuristic",
    "random": "sre_autopilot.policies.random:Random",
    ActionName.WAIT: "sre_autopilot.policies.scripts:WaitOnly",
    "sweep_restart": "sre_autopilot.policies.scripts:SweepRestart",
    "sweep_circuit_break": "sre_autopilot.policies.scripts:SweepCircuitBreak",
    "sweep_rollback": "sre_autopilot.policies.scripts:SweepRollback",
    "sweep_scale_up": "sre_autopilot.policies.scripts:SweepScaleUp",
    "both_databases_restarted": "sre_autopilot.policies.scripts:BothDatabasesRestarted",
    "payment_everything_tried": "sre_autopilot.policies.scripts:PaymentEverythingTried",
    "payment_rolled_back": "sre_autopilot.policies.scripts:PaymentRolledBack",
}
"""A policy that is not listed here is not shipped."""
POLICY_NAMES = tuple(str(name) for name in POLICIES)
DEFAULT_POLICY = "learned"
"""Who plays, or gives hints, where none is named: the best that reads what agents read."""
_REQUIRED = ("name", "privileged", "needs_traces", "begin")


def load_policy(name: str) -> Policy:
    """A new policy of a shipped class by its name, or of anybody's as "module:Class".

    Raises UnknownName, which lists the shipped names, and says which attribute a class lacks.
    """
    make = cast("Callable[[], Policy]", resolve("policy", name, POLICIES, required="act"))
    try:
        policy = make()
    except TypeError as error:
        reason = f"it is made without arguments: {error}"
        raise UnknownName("policy", name, valid_names(POLICIES), reason) from error
    missing = [attribute for attribute in _REQUIRED if not hasattr(policy, attribute)]
    if missing:
        reason = f"it has no {', '.join(missing)}"
        raise UnknownName("policy", name, valid_names(POLICIES), reason)
    return policy


def brief(policy: Policy, seed: int, episode: Episode | None = None) -> None:
    """Begins an episode of `seed` for `policy`; `episode` is for a privileged one alone.

    A shipped policy draws by the seed, so that its scores repeat, and uses it for nothing else;
    anybody's gets a fresh seed of draws, which tells nothing of the episode.
    """
    kind = type(policy)
    is_shipped = f"{kind.__module__}:{kind.__qualname__}" in POLICIES.values()
    draw_seed = seed if is_shipped else secrets.randbits(63)
    policy.begin(Briefing(draw_seed, episode if policy.privileged else None))


def weights_of(policy: Policy) -> str | None:
    """Which weights a policy plays by: the first 12 hex digits of the SHA-256 of the file that its
    `weights` names; None where it names none, or one that is not there.
    """
    path = getattr(policy, "weights", None)
    if not isinstance(path, Path) or not path.is_file():
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


__all__ = [
    "DEFAULT_POLICY",
    "POLICIES",
    "POLICY_NAMES",
    "Briefing",
    "Policy",
    "brief",
    "load_policy",
    "weights_of",
]
