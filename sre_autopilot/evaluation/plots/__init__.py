"""Pictures of episodes and of comparisons."""
