"""The bounds of the document are those of the routes."""

from orchestrator.validation import MAX_SEED


def schemas(part):
    if isinstance(part, dict):
        yield part
    for each in part.values() if isinstance(part, dict) else part:
        if isinstance(each, dict | list):
            yield from schemas(each)


def test_bounds_of_whole_numbers_are_whole(client):
    whole = [s for s in schemas(client.get("/openapi.json").json()) if s.get("type") == "integer"]
    bounds = [s[name] for s in whole for name in ("minimum", "maximum") if name in s]
    assert MAX_SEED in bounds
    assert {type(bound) for bound in bounds} == {int}


def test_the_greatest_seed_of_the_document_is_the_greatest_that_is_played(client):
    body = client.get("/openapi.json").json()["components"]["schemas"]["ResetRequest"]
    (greatest,) = (s["maximum"] for s in schemas(body["properties"]["seed"]) if "maximum" in s)
    assert client.post("/reset", json={"seed": greatest}).status_code == 200
    assert client.post("/reset", json={"seed": greatest + 1}).status_code == 422
