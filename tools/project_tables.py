"""Tables of the project itself: its settings."""

from orchestrator.settings import PREFIX, Settings
from tools.markdown import table


def settings() -> str:
    """Every variable that commands and the server read."""
    rows = (
        (f"`{PREFIX}{name.upper()}`", field.default or "-", field.description)
        for name, field in Settings.model_fields.items()
    )
    return table("variable | default | meaning", rows)
