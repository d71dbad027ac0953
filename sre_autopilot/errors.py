"""Base of the project's own errors, and the errors of bad input, which any layer may raise.

SREError
|- UnknownName(field, value, valid)      a name that does not exist; `valid` lists those that do
|  `- UnknownField(field, valid)         a field or argument that does not exist
|- InvalidAction(field, reason, valid)   an action that lacks something
|- InvalidValue(field, value, expected)  a value of the wrong kind, or outside of its range
`- InvalidSettings(problems)             environment variables, each with what is wrong with it

`orchestrator.errors` goes on with the errors of episodes, sessions and backends. Not in the tree:
errors inside the services, and those that never leave the module that raises them.
"""

from collections.abc import Iterable


class SREError(Exception):
    """Base of all errors that this project raises to its users."""


class UnknownName(SREError, ValueError):
    """A name that does not exist; `reason` says why, where the name alone does not."""

    def __init__(
        self, field: str, value: object, valid: Iterable[str], reason: str | None = None
    ) -> None:
        self.field, self.value, self.valid = field, value, tuple(map(str, valid))
        why = f" ({reason})" if reason else ""
        super().__init__(f"unknown {field} {value!r}{why}; valid values: {', '.join(self.valid)}")


class UnknownField(UnknownName):
    """A field or argument that does not exist."""

    def __init__(self, field: str, valid: Iterable[str]) -> None:
        super().__init__("field", field, valid)
        self.field = field


class InvalidAction(SREError, ValueError):
    """An action that lacks something."""

    def __init__(self, field: str, reason: str, valid: Iterable[str]) -> None:
        self.field, self.reason, self.valid = field, reason, tuple(map(str, valid))
        super().__init__(f"{field}: {reason}; valid values: {', '.join(self.valid)}")


class InvalidValue(SREError, ValueError):
    """A value of the wrong kind, or outside of its range."""

    def __init__(self, field: str, value: object, expected: str) -> None:
        self.field, self.value, self.expected = field, value, expected
        super().__init__(f"{field} must be {expected}, not {value!r}")


class InvalidSettings(SREError, ValueError):
    """Environment variables with bad values: a line each, "SRE_X: problem; valid: ..."."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))
