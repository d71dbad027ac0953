"""Requests drawn from the server's own OpenAPI document, and its answers held against it.

    python -m tests.server.schema_fuzz --cases 3200 --seed 0

Half of the requests are as the document allows, half are not. An answer is wrong where its status,
its media type or its body is not declared, where a bad request is taken, or where it is 5xx other
than 503.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import schemathesis
from fastapi import FastAPI
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks as conformance

from tests.server.doors import Workshop, make_app

CHECKS = (
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_headers_conformance,
    conformance.response_schema_conformance,
    conformance.negative_data_rejection,
    conformance.positive_data_acceptance,
)
REFUSALS = ["401", "404", "409", "415", "429", "503"]
"""Of requests that the document allows: the wrong token, no such session, no step yet ..."""
REJECTED = "Schema-valid request rejected"
SETTINGS = hypothesis.settings(
    deadline=None,
    database=None,
    phases=(hypothesis.Phase.generate,),
    suppress_health_check=list(hypothesis.HealthCheck),
)
SERVERS = ({"max_sessions": 64}, {"max_sessions": 1, "state_token": "a-token"})
"""Settings of an open one, and of one that is soon full and keeps the truth."""
COSTLY = {"/baseline": 3, "/grader": 20}
"""Most cases of routes that may play whole episodes."""


@dataclass
class Report:
    """What came back: answers by status, wrong ones by route and kind, and an example of each."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def caller(self, mode: GenerationMode) -> Callable[..., None]:
        """What sends a case and adds its answer."""

        def call(case: Any) -> None:
            self.add(case, case.call(), mode)

        return call

    def add(self, case: Any, response: Any, mode: GenerationMode) -> None:
        """Holds one answer against the document."""
        status = response.status_code
        self.statuses[status] += 1
        problems = [f"status {status}"] if status >= 500 and status != 503 else []
        try:
            case.validate_response(response, checks=[*CHECKS])
        except FailureGroup as group:
            problems += [failure.title for failure in group.exceptions]
        if REJECTED in problems and status == 422 and response.json()["field"] == "backend":
            problems.remove(REJECTED)  # its names are open: anybody's module:Class
        for problem in problems:
            kind = f"{case.operation.label}, {mode.value}: {problem}"
            self.wrong[kind] += 1
            sent = f"{case.as_curl_command()}\n{status} {response.text[:300]}"
            self.examples.setdefault(kind, sent)


def fuzz(app: FastAPI, cases: int, seed: int, report: Report) -> None:
    """Adds to a report at most so many requests; a route without arguments gets one."""
    config = schemathesis.Config.from_dict(
        {"checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", *REFUSALS]}}}
    )
    schema: Any = schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
    operations = [result.ok() for result in schema.get_all_operations()]
    each = cases // (2 * len(operations))
    for operation in operations:
        most = min(each, COSTLY.get(operation.path, each))
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            strategy = operation.as_strategy(generation_mode=mode)
            drawn = hypothesis.given(case=strategy)(report.caller(mode))
            limited = hypothesis.settings(SETTINGS, max_examples=most)(drawn)
            with suppress(hypothesis.errors.Unsatisfiable):  # nothing of it can be wrong
                hypothesis.seed(seed)(limited)()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Hold the server against its OpenAPI document.")
    parser.add_argument("--cases", type=int, default=3200, help="at most how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all draws (%(default)s)")
    options = parser.parse_args(arguments)
    report = Report()
    for settings in SERVERS:
        app = make_app(Workshop(), **settings)
        fuzz(app, options.cases // len(SERVERS), options.seed, report)
    lines = [f"{status}: {count}" for status, count in sorted(report.statuses.items())]
    lines += [f"{count} x {kind}\n{report.examples[kind]}" for kind, count in report.wrong.items()]
    lines.append(f"{report.statuses.total()} answers, {report.wrong.total()} wrong")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.exit(bool(report.wrong))


if __name__ == "__main__":
    main()
