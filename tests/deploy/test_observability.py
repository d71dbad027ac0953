"""Prometheus' files: fresh, in the vocabulary's words, with the SLA's numbers, and tested."""

import re
from itertools import chain

import pytest
import yaml

from deploy import prometheus_config as prometheus
from deploy import recording_rules as rules
from deploy.alerts import alert_groups
from deploy.prometheus_config import FOLDER
from deploy.recording_rules import rule_groups
from sre_autopilot.world import signals, sla, stack
from sre_autopilot.world.paging import BURNS, Alert
from sre_autopilot.world.stack import Network, Part, network_alias
from sre_autopilot.world.topology import USERS, Service
from sre_autopilot.world.vocabulary import MAX_STEPS

RECORDED = [rule for group in rule_groups()["groups"] for rule in group["rules"]]
ALERTED = [alert for group in alert_groups()["groups"] for alert in group["rules"]]
TESTS = {path.name: path.read_text() for path in (FOLDER / "tests").glob("*.yml")}

OF_PROMETHEUS = {"up", "process_start_time_seconds"}
SUFFIXES = ("", "_bucket", "_count")
NO_SERIES = {
    *("by", "on", "and", "or", "unless", "group_left"),
    *("sum", "max", "count", "rate", "increase", "resets", "vector", "time", "label_replace"),
    *("histogram_quantile", "max_over_time", "min_over_time"),
}
"""Words and functions of PromQL."""


def series_in(expr: str) -> list[str]:
    """Names of the series in an expression of ours."""
    bare = re.sub(r"\{[^}]*\}|\[\w+\]|'[^']*'", "", expr)
    bare = re.sub(r"\b(by|on|group_left) \([^)]*\)", "", bare)
    return [word for word in re.findall(r"[a-z][\w:]*", bare) if word not in NO_SERIES]


@pytest.mark.parametrize("name", prometheus.texts())
def test_a_file_is_fresh_and_says_what_it_should(name) -> None:
    text = prometheus.texts()[name]
    assert (FOLDER / name).read_text() == text, "run `make generate`"
    values = {
        prometheus.CONFIG: prometheus.config(),
        prometheus.RULES: rule_groups(),
        prometheus.ALERTS: alert_groups(),
    }
    assert yaml.safe_load(text) == values[name]


def test_every_series_is_exported_or_recorded_before() -> None:
    exported = {
        f"{value}{suffix}"
        for name, value in vars(signals).items()
        if name.isupper() and isinstance(value, str) and not name.startswith(("LABEL", "SPAN"))
        for suffix in SUFFIXES
    }
    series_names = exported | OF_PROMETHEUS
    for rule in chain(RECORDED, ALERTED):
        used = series_in(rule["expr"])
        assert used or rule["expr"].startswith("vector")
        assert set(used) <= series_names, rule["expr"]
        series_names.add(rule.get("record", ""))


def test_every_label_is_one_that_exists() -> None:
    ours = {value for name, value in vars(signals).items() if name.startswith("LABEL")}
    ours |= {rules.INSTANCE, rules.CALLER, rules.CALLEE, "job", "le"}
    for rule in chain(RECORDED, ALERTED):
        lists = re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"])
        matched = re.findall(r"[{,](\w+)[!=]", rule["expr"])
        assert {*matched, *re.findall(r"\w+", " ".join(lists))} <= ours


def test_the_numbers_of_the_sla_are_its_own() -> None:
    (rule,) = [rule for rule in RECORDED if rule["record"] == rules.SLA]
    compared = re.findall(r"(?:>|<=) ([\d.]+)", rule["expr"])
    assert {float(number) for number in compared} == {
        sla.P99_LIMIT_MS,
        sla.ERROR_RATE_LIMIT,
        sla.FORGIVEN_FAILURES + 0.5,
    }


def test_burn_rates_follow_from_the_share_of_the_budget() -> None:
    assert [burn.rate for burn in BURNS] == pytest.approx([3.0, 1.0])
    for burn in BURNS:
        assert burn.rate == pytest.approx(burn.budget_share * MAX_STEPS / burn.long_steps)
    burning = [alert for alert in ALERTED if alert["alert"] == Alert.ERROR_BUDGET_BURN]
    for alert, burn in zip(burning, BURNS, strict=True):
        assert alert["expr"].count(f"> {burn.rate:g} * {sla.ERROR_RATE_LIMIT:g}") == 2
        assert alert["expr"].count(rules.error_ratio(rules.seconds(burn.long_steps))) == 1


def test_every_rule_and_alert_is_tested() -> None:
    assert {rule["record"] for rule in RECORDED} <= set(
        re.findall(r"[a-z]+:\w+:\w+", TESTS["rules.yml"])
    )
    fired = re.findall(r'alertname="(\w+)"', TESTS["alerts.yml"])
    assert set(fired) == {*Alert}


def test_every_alert_tells_what_to_look_at() -> None:
    assert {alert["alert"] for alert in ALERTED} == {*Alert}
    recorded = {rule["record"] for rule in RECORDED}
    for alert in ALERTED:
        notes = alert["annotations"]
        assert notes["summary"] and len(notes["description"]) > len(notes["summary"])
        assert set(re.findall(r"[a-z]+:\w+:\w+", notes["description"])) <= recorded
        assert re.search(r"[Ss]ee |[Ll]ook |Compare |find out |one of its callers", str(notes))


def test_every_process_with_metrics_is_scraped_once_by_a_name_of_its_network() -> None:
    groups = [
        (job["job_name"], group)
        for job in prometheus.config()["scrape_configs"]
        for group in job["static_configs"]
    ]
    targets = [target for _, group in groups for target in group["targets"]]
    names = [target.partition(".")[0] for target in targets]
    assert sorted(names) == sorted([*map(str, stack.REPLICAS), *Part])
    for target, name in zip(targets, names, strict=True):
        network = Network.CONTROL if name in prometheus.PORTS else Network.TELEMETRY
        assert target.partition(":")[0] == network_alias(name, network)
    labelled = {
        target.partition(".")[0]: group["labels"][signals.LABEL_SERVICE]
        for _, group in groups
        if "labels" in group
        for target in group["targets"]
    }
    assert labelled == {**{str(r): r.service for r in stack.REPLICAS}, Part.TRAFFIC: USERS}
    mesh = [group for job, group in groups if job == rules.JOB_MESH]
    assert len(mesh) == len(Service)


def test_an_instance_is_called_as_its_container() -> None:
    for job in prometheus.config()["scrape_configs"]:
        (relabel,) = job["relabel_configs"]
        for target in chain.from_iterable(group["targets"] for group in job["static_configs"]):
            match = re.fullmatch(relabel["regex"], target)
            assert match and match[1] in {*map(str, stack.REPLICAS), *Part}


def test_the_image_has_all_files_and_listens_where_it_is_asked() -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text()
    for name in prometheus.texts():
        assert f"observability/{name}" in dockerfile
    assert f"--web.listen-address=0.0.0.0:{stack.PROMETHEUS_PORT}" in dockerfile
    assert "enable-lifecycle" not in dockerfile and "enable-admin-api" not in dockerfile


def test_every_scrape_carries_the_token_that_the_container_writes_down_when_it_starts() -> None:
    entrypoint = (prometheus.FOLDER / "Dockerfile").read_text()
    assert f'"$SRE_MESH_TOKEN\\" >{prometheus.TOKEN_FILE}' in entrypoint
    files = {
        job["authorization"]["credentials_file"] for job in prometheus.config()["scrape_configs"]
    }
    assert files == {prometheus.TOKEN_FILE}
