"""Whether the rule of validity calls a busy machine busy, and a quiet one quiet."""
