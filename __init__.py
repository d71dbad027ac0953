"""SRE Autopilot: the repository's root as OpenEnv packs it. Holds this line and nothing else."""
