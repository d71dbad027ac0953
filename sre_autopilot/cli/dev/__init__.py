"""The subcommands of `sre-autopilot dev`: one file each."""
