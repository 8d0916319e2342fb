"""What is shipped for Prometheus and Grafana asks for metrics that there are, and is explained."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from programs import find_program
from prometheus_client import generate_latest

from service.serving.metrics import Metrics

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "kortom.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
DOC = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")

SCRAPED_BY_PROMETHEUS = {"up": {"job", "instance"}}
TARGET_LABELS = {"job", "instance"}
_NAME = re.compile(r"\b(?:kortom|http|process|python)_\w+\b|\bup\b")
_SELECTED = re.compile(r"(\w+)\{([^}]*)\}")


def families() -> dict[str, set[str]]:
    """Every series name that a server can have, with its labels."""
    found: dict[str, set[str]] = {}
    metrics = Metrics()
    for instrument in vars(metrics).values():
        if labels := getattr(instrument, "_labelnames", ()):
            instrument.labels(*("x" for _ in labels))
    for family in metrics.registry.collect():
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression of rules and dashboard, with where it stands."""
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]


@pytest.fixture(scope="module")
def series() -> dict[str, set[str]]:
    return families() | SCRAPED_BY_PROMETHEUS


@pytest.fixture(scope="session")
def promtool() -> str:
    return find_program("promtool", "Debian: prometheus")


def run(promtool: str, *arguments: str, text: bytes | None = None) -> None:
    done = subprocess.run(
        [promtool, *arguments], input=text, capture_output=True, cwd=PROMETHEUS, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_every_expression_asks_for_what_there_is(
    series: dict[str, set[str]], where: str, expression: str
) -> None:
    names = _NAME.findall(expression)
    assert names
    assert set(names) <= set(series)
    for name, selectors in _SELECTED.findall(expression):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selectors))
        assert labels <= series[name] | TARGET_LABELS, where
    for labels in re.findall(r"by \(([^)]*)\)", expression):
        known = set().union(*(series[name] for name in names)) | TARGET_LABELS
        assert set(labels.replace(" ", "").split(",")) <= known


def test_every_metric_is_drawn_or_needs_no_drawing(series: dict[str, set[str]]) -> None:
    drawn = {name for _, expression in expressions() for name in _NAME.findall(expression)}
    bases = {re.sub(r"_(bucket|sum|count)$", "", name) for name in drawn}
    own = {
        re.sub(r"_(bucket|sum|count)$", "", name) for name in series if name[:3] in ("kor", "htt")
    }
    assert own <= bases


def test_panels_have_numbers_and_places_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_the_rules_are_right_by_their_own_tests(promtool: str) -> None:
    run(promtool, "test", "rules", "alerts_test.yml")


def test_the_example_of_prometheus_is_valid(promtool: str) -> None:
    run(promtool, "check", "config", "prometheus.yml")


def test_the_queries_of_the_dashboard_are_promql(promtool: str, tmp_path: Path) -> None:
    queries = [
        target["expr"].replace("$__rate_interval", "5m")
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", ())
    ]
    rules: Any = [{"record": f"q{index}", "expr": query} for index, query in enumerate(queries)]
    path = tmp_path / "queries.yml"
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    run(promtool, "check", "rules", str(path))


def test_the_metrics_are_named_as_prometheus_wants(promtool: str) -> None:
    run(promtool, "check", "metrics", text=generate_latest(Metrics().registry))


def test_every_rule_has_a_test_and_a_runbook() -> None:
    tested = (PROMETHEUS / "alerts_test.yml").read_text(encoding="utf-8")
    headings = re.findall(r"^### (\w+)$", DOC.partition("## Alerts")[2], re.MULTILINE)
    assert sorted(headings) == sorted(rule["alert"] for rule in RULES)
    for rule in RULES:
        name = rule["alert"]
        assert f"alertname: {name}" in tested
        assert rule["annotations"]["runbook"] == f"docs/observability.md#{name.lower()}"


def test_the_document_lists_the_metrics_and_no_others() -> None:
    own = {
        re.sub(r"_(bucket|sum|count)$", "", name) if "le" in labels or name[-4:] in ("_sum", "ount")
        else name
        for name, labels in families().items()
        if name.startswith(("kortom_", "http_"))
    }  # fmt: skip
    listed = re.findall(r"^\| `((?:kortom|http)_\w+)(?:\{[\w, ]*\})?` \|", DOC, re.MULTILINE)
    assert sorted(listed) == sorted(own)


def test_the_document_names_the_labels_of_each_metric(series: dict[str, set[str]]) -> None:
    for name, labels in re.findall(r"^\| `((?:kortom|http)_\w+)(?:\{([\w, ]*)\})?`", DOC, re.M):
        known = series.get(name) or series.get(f"{name}_bucket", set())
        assert set(filter(None, labels.replace(" ", "").split(","))) == known - {"le"}
