"""Checks that scores must pass to mean anything, and the upper bound on the hard tier."""
