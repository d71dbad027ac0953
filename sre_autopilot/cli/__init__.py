"""The command line `sre-autopilot`: one file a subcommand. Imports nothing by itself."""
