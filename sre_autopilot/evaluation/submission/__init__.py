"""Submissions: the records of a policy with what they say, made, checked and placed."""
