"""The command sre-autopilot: one file a subcommand."""
