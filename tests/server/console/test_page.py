"""The console at /web: how it is served, and that it fits the server it is served by."""

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
from server.console.assets import MEDIA_TYPES, OF_PACKAGES, STATIC, asset_paths
from server.console.page import KEYS, PAGE, WORLD_MARK
from sre_autopilot.models import ServiceMetrics, SREObservation
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, ActionName, FaultKind, FlapCause, Tier

pytestmark = pytest.mark.anyio
NAMES = {*Service, *ActionName, *Tier, *FaultKind, *FlapCause} - {FaultKind.NONE}
TEMPLATE = PAGE.read_text(encoding="utf-8")
MODULES = {path.name: path.read_text(encoding="utf-8") for path in STATIC.glob("*.js")}
SCRIPTS = "\n".join(MODULES.values())
SVG_NAMESPACE = "http://www.w3.org/2000/svg"
"""The one address in the files: the name of a format, never asked for."""


class Read(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    @property
    def ids(self) -> Counter[str]:
        return Counter(str(attributes["id"]) for _, attributes in self.tags if "id" in attributes)

    def links(self) -> set[str]:
        return {
            str(attributes[name])
            for tag, attributes in self.tags
            for name in ("src", "href")
            if name in attributes and tag != "a"
        }


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


async def test_the_root_leads_to_the_page(app: FastAPI, served: httpx.Response) -> None:
    root = await fetched(app, "/")
    assert (root.status_code, root.headers["Location"]) == (307, "/web")
    assert (served.status_code, served.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "<title>SRE Autopilot Environment</title>" in served.text


@pytest.mark.parametrize("path", ["/web", "/docs"])
async def test_a_browser_may_load_files_of_this_server_alone(app: FastAPI, path: str) -> None:
    page = await fetched(app, path)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; connect-src 'self';")
    assert {"script-src 'self'", "style-src 'self'"} <= set(policy.split("; "))
    assert "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["/web", "/docs"])
async def test_files_that_a_page_links_to_are_served(app: FastAPI, path: str) -> None:
    page = Read((await fetched(app, path)).text)
    links = {link for link in page.links() if not link.startswith("data:")}
    assert len(links) >= 3
    for link in links:
        asset = await fetched(app, f"/{link}")
        assert asset.status_code == 200, link
        assert asset.headers["Content-Type"].startswith(MEDIA_TYPES["." + link.split(".")[-1]])
        assert asset.headers["X-Content-Type-Options"] == "nosniff"


async def test_no_other_file_is_an_asset(app: FastAPI) -> None:
    for name in ("console.html", "..%2Fpage.py", "%2Fetc%2Fpasswd", "nothing.js"):
        assert (await fetched(app, f"/web/assets/{name}")).status_code == 404, name


def test_assets_of_packages_are_left_out_where_these_are_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert OF_PACKAGES.keys() <= asset_paths().keys()
    monkeypatch.setitem(OF_PACKAGES, "uplot.js", ("no-such-distribution", "a.js"))
    monkeypatch.setitem(OF_PACKAGES, "uplot.css", ("fastapi-offline", "no/such/file.css"))
    assert not {"uplot.js", "uplot.css"} & asset_paths().keys()


def test_nothing_is_inline() -> None:
    for page in STATIC.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        for tag, attributes in Read(text).tags:
            barred = [name for name in attributes if name == "style" or name.startswith("on")]
            assert not barred, f"<{tag}> has {barred}, which the policy does not run"
            assert tag != "style"
            data = attributes.get("type") == "application/json"
            assert tag != "script" or data or attributes.get("src"), page.name


def test_styles_have_nothing_that_costs_at_every_frame() -> None:
    """Without a GPU, the browser's own processors blur, blend and move."""
    styles = (STATIC / "console.css").read_text(encoding="utf-8")
    assert not re.findall(r"(?:box-shadow|filter|transition|opacity)\s*:", styles)
    animations = re.findall(r"animation: ([^;]+);", styles)
    assert animations
    assert [each for each in animations if each != "none" and "steps(" not in each] == []


def test_no_file_refers_to_another_host() -> None:
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8").replace(SVG_NAMESPACE, "")
        assert not re.findall(r"(?:https?:|wss?:)?//[\w.-]+\.\w+", text), path.name
        assert not re.findall(r"@import|url\(", text), path.name


def test_imports_of_modules_are_there() -> None:
    for name, text in MODULES.items():
        for imported, source in re.findall(r"import (.+) from \"\./(\w+\.js)\"", text):
            names = re.findall(r"\w+", imported.partition("{")[2])
            for each in names:
                exported = rf"export (?:async )?(?:const|let|function) {each}\b"
                assert re.search(exported, MODULES[source]), f"{name}: {each} of {source}"


def test_modules_are_small() -> None:
    sizes = {name: len(text.splitlines()) for name, text in MODULES.items()}
    assert {name: size for name, size in sizes.items() if size > 250} == {}


def test_every_id_that_a_script_asks_for_is_there_once() -> None:
    ids = Read(TEMPLATE).ids
    asked = set(re.findall(r"\$\(\"([^\"]+)\"\)", SCRIPTS))
    assert len(asked) > 40
    assert asked - ids.keys() == set()
    assert {name for name, times in ids.items() if times > 1} == set()
    pointed = {
        str(attributes[name])
        for _, attributes in Read(TEMPLATE).tags
        for name in ("for", "aria-describedby", "aria-labelledby")
        if name in attributes
    }
    assert pointed <= ids.keys()


def test_no_name_is_spelt_out() -> None:
    for text in (TEMPLATE, *MODULES.values()):
        assert {name for name in NAMES if re.search(rf"(?<![\w-]){name}(?![\w-])", text)} == set()


async def test_every_path_that_a_script_calls_is_a_route(app: FastAPI) -> None:
    schema = (await fetched(app, "/openapi.json")).json()["paths"]
    routes = {
        (method.upper(), re.sub(r"\{.*?\}", "X", path))
        for path, methods in schema.items()
        for method in methods
    }
    calls = r"(?:call|ask|own|callWhileLeaving)\(\"([A-Z]+)\", [\"`]([^\"`]+)[\"`]"
    called = {
        (method, "/" + re.sub(r"\$\{.*?\}", "X", path.partition("?")[0]))
        for method, path in re.findall(calls, SCRIPTS)
    }
    assert len(called) >= 6
    assert called - routes == set()


def test_scripts_read_only_fields_of_observations() -> None:
    read = set(re.findall(r"\bobservation\??\.([a-z_]+)\b(?!\()", SCRIPTS))
    assert {"sla_status", "trace_edges", "last_action_error"} <= read
    assert read <= SREObservation.model_fields.keys()
    metrics = re.search(r"const METRICS = \{(.*?)\n\};", SCRIPTS, re.DOTALL)
    assert metrics is not None
    assert re.findall(r"^  (\w+): \{", metrics[1], re.MULTILINE) == [*ServiceMetrics.model_fields]


def test_the_truth_is_asked_for_only_after_the_score() -> None:
    hidden = [line for line in SCRIPTS.splitlines() if ".hidden." in line]
    assert len(hidden) == 1
    grading = MODULES["session.js"].partition("async function grade()")[2].partition("\n}")[0]
    assert "if (!mine.done || mine.score) return;" in grading
    assert hidden[0] in grading


async def test_prices_limits_and_keys_are_those_of_the_world(served: httpx.Response) -> None:
    data = re.search(r"<script id=\"world\"[^>]*>(.*?)</script>", served.text)
    assert data is not None
    world: dict[str, Any] = json.loads(data[1])
    assert world["costs"] == ACTION_COSTS
    assert world["costs"][world["pass"]] == 0
    assert WORLD_MARK not in served.text
    assert set(re.findall(r"\bworld\.(?!js)(\w+)", SCRIPTS)) == world.keys()
    assert set(KEYS.values()) == set(ActionName) - {ActionName.WAIT}
    assert list(world["calls"]) == list(Service)


async def test_the_page_says_nothing_secret(served: httpx.Response) -> None:
    private = await fetched(create_app(Settings(state_token="s3cret-of-a-test")), "/web")
    assert "s3cret-of-a-test" not in private.text
    assert '"needs_token": true' in private.text
    assert '"needs_token": false' in served.text
