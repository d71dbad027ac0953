"""SRE Autopilot: what one imports and types."""
