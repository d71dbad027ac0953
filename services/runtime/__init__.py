"""What every service shares, once: app, calls, pool, metrics, traces, control port, impairments."""
