"""A client of Prometheus: PromQL in, series out. Reads only; names no rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter

from sre_autopilot.errors import SREError

T = TypeVar("T")

TIMEOUT_S = 10.0

Point = tuple[float, float]
"""Seconds since the epoch, and the value then."""


class QueryFailed(SREError):
    """Prometheus gave no usable answer."""

    def __init__(self, expr: str, reason: str) -> None:
        self.expr, self.reason = expr, reason
        super().__init__(f"Prometheus did not answer {expr}: {reason}")


@dataclass(frozen=True, slots=True)
class Span:
    """From `start_s` to `end_s`, both since the epoch, a value every `step_s`."""

    start_s: float
    end_s: float
    step_s: float = 1.0


class Sample(BaseModel):
    """A series of an instant query: its labels, and its value then."""

    model_config = ConfigDict(frozen=True)

    metric: Mapping[str, str]
    value: Point


class Series(BaseModel):
    """A series of a range query: its labels, and its values in the order of time."""

    model_config = ConfigDict(frozen=True)

    metric: Mapping[str, str]
    values: tuple[Point, ...]


SAMPLES: TypeAdapter[tuple[Sample, ...]] = TypeAdapter(tuple[Sample, ...])
SERIES: TypeAdapter[tuple[Series, ...]] = TypeAdapter(tuple[Series, ...])


class Prometheus:
    """A client of the HTTP API; closes itself as a context."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(
            base_url=url, timeout=TIMEOUT_S, trust_env=False, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def instant(self, expr: str) -> tuple[Sample, ...]:
        """The value of `expr` now, one sample a series; empty without any. Raises QueryFailed."""
        return self._ask("query", expr, {}, SAMPLES)

    def range(self, expr: str, span: Span) -> tuple[Series, ...]:
        """The values of `expr` over `span`, with gaps where it had none. Raises QueryFailed."""
        times = {"start": span.start_s, "end": span.end_s, "step": span.step_s}
        return self._ask("query_range", expr, times, SERIES)

    def _ask(self, route: str, expr: str, times: Mapping[str, float], kind: TypeAdapter[T]) -> T:
        try:
            response = self._http.get(f"/api/v1/{route}", params={"query": expr, **times})
            answer = response.json()
            if response.is_error:
                raise QueryFailed(expr, answer["error"])
            return kind.validate_python(answer["data"]["result"])
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise QueryFailed(expr, str(error) or type(error).__name__) from error
        except (ValueError, KeyError, TypeError) as error:  # no JSON, or not that of Prometheus
            raise QueryFailed(expr, "the answer is not that of a Prometheus") from error
