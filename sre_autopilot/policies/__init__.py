"""Who plays: one file each. Others' policies plug in as module:Class."""

from copy import copy
from importlib import import_module

from sre_autopilot.errors import UnknownName
from sre_autopilot.policies.belief import Belief
from sre_autopilot.policies.heuristic import Heuristic
from sre_autopilot.policies.oracle import Oracle
from sre_autopilot.policies.policy import Briefing, Policy
from sre_autopilot.policies.random import Random
from sre_autopilot.policies.runbook import Runbook
from sre_autopilot.policies.scripts import SWEEPS, TIER_SCRIPTS, WAIT_ONLY

_POLICIES: tuple[Policy, ...] = (
    Oracle(),
    Runbook(),
    Belief(),
    Heuristic(),
    Random(),
    WAIT_ONLY,
    *SWEEPS,
    *TIER_SCRIPTS,
)
POLICY_NAMES = tuple(policy.name for policy in _POLICIES)
_SEPARATOR = ":"


def load_policy(name: str) -> Policy:
    """A shipped policy by name, or a new one of a class given as "module:Class".

    Raises UnknownName, which lists what exists.
    """
    if _SEPARATOR in name:
        return _plugged_in(name)
    for policy in _POLICIES:
        if policy.name == name:
            return copy(policy)
    raise UnknownName("policy", name, (*POLICY_NAMES, "module:Class"))


def _plugged_in(name: str) -> Policy:
    module, _, class_name = name.partition(_SEPARATOR)
    try:
        policy: Policy = getattr(import_module(module), class_name)()
    except (ImportError, AttributeError) as error:
        raise UnknownName("policy", f"{name} ({error})", (*POLICY_NAMES, "module:Class")) from error
    return policy


__all__ = ["POLICY_NAMES", "Briefing", "Policy", "load_policy"]
