"""Vocabulary of the world, standard library only: every name and every number stands here once."""
