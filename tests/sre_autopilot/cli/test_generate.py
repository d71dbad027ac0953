"""`dev generate` runs every generator, in the checkout's order."""

import pytest

from deploy import compose, prometheus_config, viewers
from tests.sre_autopilot.cli.terminal import invoke
from tools import documents, notebook


@pytest.fixture
def written(monkeypatch):
    names: list[str] = []
    for module in (compose, prometheus_config, viewers, documents, notebook):
        monkeypatch.setattr(module, "main", lambda name=module.__name__: names.append(name))
    return names


def test_every_generator_runs_once(written):
    result = invoke("dev", "generate")
    assert result.exit_code == 0, result.output
    assert written == [
        "deploy.compose",
        "deploy.prometheus_config",
        "deploy.viewers",
        "tools.documents",
        "tools.notebook",
    ]


def test_written_files_are_named_on_standard_error(written):
    result = invoke("dev", "generate")
    assert "wrote docker-compose.yml" in result.stderr and result.stdout == ""
