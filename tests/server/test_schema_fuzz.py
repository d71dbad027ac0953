"""Answers are held against the server's OpenAPI document; `make fuzz-schema` sends many more."""

import pytest
from fastapi.responses import JSONResponse

pytest.importorskip("schemathesis", reason="make fuzz-schema installs it")

from tests.server.schema_fuzz import Report, fuzz

CASES, SEED = 60, 1


def test_answers_are_as_the_document_declares(app):
    report = Report()
    fuzz(app, CASES, SEED, report)
    assert not report.wrong, report.examples
    assert report.statuses[200] and report.statuses[422]


def test_undeclared_answers_are_noted(app):
    @app.get("/undeclared")
    def undeclared():
        return JSONResponse({}, 418)

    report = Report()
    fuzz(app, CASES, SEED, report)
    assert report.wrong["GET /undeclared, positive: Undocumented status code"] == 1
    assert all("GET /undeclared" in kind for kind in report.wrong)
