"""The page at /web: how it is served, and that it fits the server it is served by."""

import base64
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from orchestrator.settings import Settings
from server.app import create_app
from server.console.page import PAGE, WORLD_MARK, content_policy
from sre_autopilot.models import ServiceMetrics, SREObservation
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, ActionName, FaultKind, FlapCause, Tier

pytestmark = pytest.mark.anyio
NAMESPACE = "xmlns='http://www.w3.org/2000/svg'"
"""The one address in the page: the name of a format, never asked for."""
NAMES = {*Service, *ActionName, *Tier, *FaultKind, *FlapCause} - {FaultKind.NONE}
TEMPLATE = PAGE.read_text(encoding="utf-8")


class Read(HTMLParser):
    """Every tag with its attributes, and the text of each script and style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in ("script", "style") and data.strip():
            self.inline.append((*self.tags[-1], data))

    @property
    def ids(self) -> Counter[str]:
        return Counter(str(attributes["id"]) for _, attributes in self.tags if "id" in attributes)

    @property
    def script(self) -> str:
        scripts = (
            text for tag, attributes, text in self.inline if (tag, attributes) == ("script", {})
        )
        return next(scripts)


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(Settings())


@pytest.fixture(scope="module")
async def served(app: FastAPI) -> httpx.Response:
    return await fetched(app, "/web")


async def fetched(app: FastAPI, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        return await client.get(path)


def rules(response: httpx.Response) -> dict[str, str]:
    policy = response.headers["Content-Security-Policy"]
    return {name: value for name, _, value in (rule.partition(" ") for rule in policy.split("; "))}


async def test_the_root_leads_to_the_page(app: FastAPI, served: httpx.Response) -> None:
    root = await fetched(app, "/")
    assert (root.status_code, root.headers["Location"]) == (307, "/web")
    assert (served.status_code, served.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "<title>SRE Autopilot Environment</title>" in served.text


async def test_a_browser_may_load_nothing_but_the_page(served: httpx.Response) -> None:
    policy = rules(served)
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in served.headers["Content-Security-Policy"]
    assert served.headers["X-Content-Type-Options"] == "nosniff"
    assert served.headers["Referrer-Policy"] == "no-referrer"
    assert served.headers["Cache-Control"] == "no-cache"


async def test_its_own_script_and_style_run_under_that_policy(served: httpx.Response) -> None:
    policy = rules(served)
    read = Read(served.text)
    runs = [(tag, text) for tag, attributes, text in read.inline if attributes.get("type") is None]
    assert {tag for tag, _ in runs} == {"script", "style"}
    for tag, text in runs:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[f"{tag}-src"].split()
    for tag, attributes in read.tags:
        barred = [name for name in attributes if name == "style" or name.startswith("on")]
        assert not barred, f"<{tag}> has {barred}, which the policy does not run"


def test_the_policy_changes_with_the_script() -> None:
    assert content_policy("<script>one</script>") != content_policy("<script>two</script>")
    assert "sha256" not in content_policy('<script type="application/json">{}</script>')


async def test_the_page_refers_to_no_other_host(served: httpx.Response) -> None:
    text = served.text.replace(NAMESPACE, "")
    assert not re.findall(r"(?:https?:|wss?:)?//[\w.-]+\.\w+", text)
    assert not re.findall(r"@import|url\(|\bimport\b", text)
    for tag, attributes in Read(text).tags:
        assert "src" not in attributes
        assert (attributes.get("href") or "data:").startswith("data:"), tag


def test_every_id_that_the_script_asks_for_is_there_once() -> None:
    read = Read(TEMPLATE)
    asked = set(re.findall(r"\$\(\"([^\"]+)\"\)", read.script))
    assert len(asked) > 20
    assert asked - read.ids.keys() == set()
    assert {name for name, times in read.ids.items() if times > 1} == set()
    pointed = {g[a] for _, g in read.tags for a in ("for", "aria-describedby") if a in g}
    assert pointed <= read.ids.keys()
    assert not re.findall(r"\$\((?!\"|id\))", read.script), "an id that no test can check"


def test_no_name_is_spelt_out() -> None:
    spelt = {name for name in NAMES if re.search(rf"(?<![\w-]){name}(?![\w-])", TEMPLATE)}
    assert spelt == set()


async def test_every_path_that_it_calls_is_a_route(app: FastAPI) -> None:
    schema = (await fetched(app, "/openapi.json")).json()["paths"]
    routes = {
        (method.upper(), re.sub(r"\{.*?\}", "X", path))
        for path, methods in schema.items()
        for method in methods
    }
    called = {
        (method, "/" + re.sub(r"\$\{.*?\}", "X", path.partition("?")[0]))
        for method, path in re.findall(r'call\("([A-Z]+)", ["`]([^"`]+)["`]', TEMPLATE)
    }
    assert len(called) == TEMPLATE.count('call("') >= 6
    assert called <= routes


def test_the_page_reads_only_fields_of_observations() -> None:
    read = set(re.findall(r"\bobservation\??\.([a-z_]+)\b(?!\()", TEMPLATE))
    assert {"sla_status", "trace_edges", "last_action_error"} <= read
    assert read <= SREObservation.model_fields.keys()
    metrics = re.search(r"const METRICS = \{(.*?)\n\};", TEMPLATE, re.DOTALL)
    assert metrics is not None
    assert re.findall(r"^  (\w+): \{", metrics[1], re.MULTILINE) == [*ServiceMetrics.model_fields]


def test_the_page_asks_for_nothing_hidden() -> None:
    assert "hidden_state" not in TEMPLATE
    taken = re.search(r"const \{ (.*?) \} = await call\(\"GET\", `state", TEMPLATE)
    assert taken is not None
    assert taken[1].split(", ") == ["episode_id", "step_count", "done"]


async def test_prices_and_limits_are_those_of_the_world(served: httpx.Response) -> None:
    inline = Read(served.text).inline
    world: dict[str, Any] = json.loads(
        next(text for _, attributes, text in inline if "id" in attributes)
    )
    assert world["costs"] == ACTION_COSTS
    assert world["costs"][world["pass"]] == 0
    assert WORLD_MARK not in served.text
    used = set(re.findall(r"\bworld\.(\w+)", TEMPLATE))
    assert used == world.keys()
