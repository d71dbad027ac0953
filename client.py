"""The typed client, under the name that OpenEnv expects. The code is in sre_autopilot.client."""

from sre_autopilot.client import SREAction, SREEnv, SREObservation, SREState

__all__ = ["SREAction", "SREEnv", "SREObservation", "SREState"]
