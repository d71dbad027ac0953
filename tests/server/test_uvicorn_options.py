"""Under uvicorn's own command the server says what it lacks."""

import logging

import pytest
import uvicorn

from server.connection_limits import LIMITED_HTTP
from server.uvicorn_options import check_uvicorn_options

LIMITS = f"--http {LIMITED_HTTP} --ws-max-size 65536 --ws-ping-timeout 600".split()


@pytest.mark.parametrize(
    ("options", "missing"),
    [([], LIMITS), (LIMITS[:4], LIMITS[4:]), (LIMITS, []), ([*LIMITS[:5], "700"], [])],
)
def test_uvicorn_is_told_which_limits_it_lacks(monkeypatch, caplog, options, missing):
    monkeypatch.setattr("server.uvicorn_options.check_port", lambda *_: None)
    arguments = ["server.app:app", *options]
    with uvicorn.main.make_context("uvicorn", arguments), caplog.at_level(logging.WARNING):
        check_uvicorn_options(600.0)
    assert [text.partition("options ")[2].split() for text in caplog.messages] == (
        [missing] if missing else []
    )
