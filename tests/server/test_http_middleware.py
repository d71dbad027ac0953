"""HEAD and redirects, on every route of the server."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.responses import RedirectResponse

from server.http_middleware import HeadMiddleware, RelativeRedirectMiddleware


@pytest.mark.parametrize("path", ["/health", "/ready", "/tasks", "/web", "/metadata"])
def test_head_is_get_without_a_body(client, path):
    answer, head = client.get(path), client.head(path)
    assert head.status_code == answer.status_code == 200
    assert head.headers["content-type"] == answer.headers["content-type"]
    assert head.headers["content-length"] == answer.headers["content-length"]
    assert head.content == b"" != answer.content


def test_head_of_a_route_that_has_no_get_is_refused(client):
    assert client.head("/step").status_code == 405
    assert client.head("/nowhere").status_code == 404


@pytest.mark.parametrize("path", ["/web/", "/tasks/?a=1"])
def test_a_redirect_names_no_scheme(client, path):
    answer = client.get(path, headers={"x-forwarded-proto": "https"}, follow_redirects=False)
    assert answer.status_code in {307, 308}
    assert answer.headers["location"] == path.replace("/?", "?").rstrip("/")


def test_a_redirect_elsewhere_stays_as_it_is():
    app = FastAPI()
    app.add_middleware(RelativeRedirectMiddleware)
    app.add_middleware(HeadMiddleware)

    @app.get("/away")
    def away() -> RedirectResponse:
        return RedirectResponse("https://example.org/page?q=1")

    answer = TestClient(app).head("/away", follow_redirects=False)
    assert answer.headers["location"] == "https://example.org/page?q=1"
