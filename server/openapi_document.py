"""An application whose OpenAPI document has the bounds that its routes have."""

from typing import Any

from fastapi import FastAPI

from orchestrator.validation import MAX_SEED


class DocumentedApp(FastAPI):
    """FastAPI, which writes the bounds of an optional whole number as floats: those of a seed would
    let a number through that no route takes.
    """

    def openapi(self) -> dict[str, Any]:
        """Made once."""
        if self.openapi_schema is None:
            _make_whole(super().openapi())
        return super().openapi()


def _make_whole(part: Any) -> None:
    """Replaces the bounds of whole numbers, in place, by whole numbers."""
    if isinstance(part, list):
        for each in part:
            _make_whole(each)
    elif isinstance(part, dict):
        for bound in ("minimum", "maximum"):
            if part.get("type") == "integer" and isinstance(part.get(bound), float):
                # The float of the greatest seed lies above it; all other bounds are exact.
                part[bound] = min(int(part[bound]), MAX_SEED)
        for each in part.values():
            _make_whole(each)
