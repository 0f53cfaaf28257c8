"""docs/metrics.md names exactly the metrics that agents keep and the alerts that the catalog knows."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from autobot_ops.catalog.models import Alerts
from src.agents.metrics import AgentMetrics


def table(root: Path, heading: str) -> dict[str, list[str]]:
    """Cells of the rows of the first table with this heading, by the name in the first cell."""
    text = (root / "docs/metrics.md").read_text()
    _, _, after = text.partition(f"| {heading} |")
    rows = [line.strip("|").split("|") for line in after.split("\n\n")[0].splitlines()[2:]]
    return {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in rows}


def test_every_metric_is_documented_with_its_kind_and_labels(root: Path) -> None:
    metrics = AgentMetrics("chat", "1")
    metrics.observe_request("GET", "/livez", 200, 0.1)
    metrics.count_redis_error(TimeoutError())
    metrics.observe_connections({"main": {"open": 1}})
    kept = {
        family.name: (family.type, {name for each in family.samples for name in each.labels})
        for family in text_string_to_metric_families(metrics.render().decode())
        if family.name.startswith("autobot_")
    }
    documented = {
        name.removesuffix("_total"): (cells[0], set(re.findall(r"`(\w+)`", cells[1])))
        for name, cells in table(root, "metric").items()
    }
    # `le` is how every histogram tells its buckets apart.
    assert {name: (kind, labels - {"agent", "le"}) for name, (kind, labels) in kept.items()} == documented


def test_every_alert_of_the_catalog_is_documented(root: Path) -> None:
    assert set(table(root, "alert")) == set(Alerts.model_fields)
