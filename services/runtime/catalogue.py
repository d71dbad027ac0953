"""The initial rows of the tables, which the users draw their requests from. Pure values."""

USER_COUNT = 300
ITEM_COUNT = 300
PAGE_ITEMS = 20
"""Items on one page that a user browses."""
STOCK = 1_000_000


def user_name(index: int) -> str:
    return f"user-{index % USER_COUNT}"


def password(index: int) -> str:
    return f"correct horse {index % USER_COUNT}"
