"""What the operations guide and the recipes in deploy/ name exists: metrics, settings, commands and paths."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.worker.routes.conftest import FakePool, make_settings
from workflow_studio.worker.app import create_app

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
PAGES = ROOT / "docs/operations"
WATCHING = (PAGES / "watching.md").read_text(encoding="utf-8")
ALERTS = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text(encoding="utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
METRIC = re.compile(r"workflow_studio_\w+")


@pytest.fixture
async def shown(tmp_path: Path) -> dict[str, tuple[str, set[str]]]:
    """Return the worker's own metrics: their types and labels, by name."""
    app = create_app(make_settings(tmp_path), pool=FakePool())
    async with app.router.lifespan_context(app):
        exposition = app.state.services.exposition
        await exposition.state.look()
        found = {}
        for family in exposition.metrics.registry.collect():
            if family.name.startswith("workflow_studio"):
                name = f"{family.name}_total" if family.type == "counter" else family.name
                kind = "gauge" if family.type == "info" else family.type
                names = {name for sample in family.samples for name in sample.labels} - {"le"}
                instrument = exposition.metrics.registry._names_to_collectors.get(family.name)
                found[name] = (kind, names | set(getattr(instrument, "_labelnames", ())))
        return found


async def test_every_metric_is_described_with_its_kind_and_labels(shown: dict[str, tuple[str, set[str]]]) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\| [^|]+ \|$", WATCHING, re.MULTILINE)
    described = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    wanted = {name.removeprefix("workflow_studio_"): what for name, what in shown.items()}
    wanted["info"] = wanted.pop("workflow_studio")
    assert described == wanted


async def test_alerts_and_queries_are_about_metrics_that_exist(shown: dict[str, tuple[str, set[str]]]) -> None:
    known = set(shown) | {
        f"{name}{suffix}"
        for name, (kind, _) in shown.items()
        if kind in {"histogram", "summary"}
        for suffix in ("_sum", "_count", *(("_bucket",) if kind == "histogram" else ()))
    }
    queries = [rule["expr"] for rule in RULES] + re.findall(
        r"^\| [^|]+ \| `([^|]*workflow_studio[^|]*)` \|$", WATCHING, re.MULTILINE
    )
    assert len(queries) > len(RULES)
    assert {name for query in queries for name in METRIC.findall(query)} - known == set()
    for query in queries:
        for name, matched in re.findall(r"(workflow_studio_\w+){(\w+)=", query):
            assert matched in shown[name][1], query


def test_every_alert_says_what_to_look_at() -> None:
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in RULES)
    explained = {
        name
        for row in re.findall(r"^\| (`Workflow[^|]+) \|", WATCHING, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert {rule["alert"] for rule in RULES} == explained
