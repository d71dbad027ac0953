"""The typed client, under the name that OpenEnv expects. The code is in sre_autopilot.client."""

from sre_autopilot.client import (
    SREAction,
    SreAction,
    SREEnv,
    SreEnv,
    SREObservation,
    SreObservation,
    SREState,
)

__all__ = [
    "SREAction",
    "SREEnv",
    "SREObservation",
    "SREState",
    "SreAction",
    "SreEnv",
    "SreObservation",
]
