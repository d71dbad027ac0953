"""Kills the parts of a running world at random moments, and checks what is left and what works."""
