"""Scores of policies: played, kept, compared, checked and drawn."""
