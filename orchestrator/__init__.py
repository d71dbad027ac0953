"""The environment: the loop of an episode, its actions, its backends and its telemetry."""
