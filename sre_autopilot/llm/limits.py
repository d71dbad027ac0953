"""The limits within which a model is asked, and what of an episode it is shown."""

WINDOWS, TAKEN = 5, 4
"""How many observations and own actions a model is shown at most."""
DECISION_S, CALL_S, BACKOFF_S = 120.0, 40.0, 30.0
"""At most, for a decision, a call and a pause between two; a session's lease is 300 s."""
TRIES, FAILURES_IN_A_ROW = 3, 3
TRIES_BY_STATUS = {400: 1, 401: 1, 402: 1, 403: 1, 404: 1, 413: 1, 422: 1, 429: 8}
