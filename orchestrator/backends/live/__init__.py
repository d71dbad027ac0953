"""What the backends with real replicas share."""
