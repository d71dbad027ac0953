"""Plays episodes: the loop, its backends, its telemetry and its policies."""
