"""A language model as the agent: what it is asked, how its answers are read, when it is asked."""
