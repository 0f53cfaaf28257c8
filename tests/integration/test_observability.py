"""What the stack says about itself: metrics, alerts, images, logs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from autobot_ops.adapters.redis_server import dialer
from autobot_ops.catalog.models import Alerts
from autobot_ops.ports import Dialer
from autobot_ops.settings import load_settings
from autobot_ops.stack.build_context import INPUTS_LABEL
from autobot_ops.stack.image_inputs import ImageInputs, project_version, read_inputs
from tests.conftest import ROOT
from tests.integration.conftest import Stack
from tests.integration.in_container import output_of

SECONDS = 60
TESTING = "testing"
BATCH = 1000
LEVELS = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
ERRORS = "autobot_redis_errors_total"
METRICS = re.findall(r"^\| `(autobot_\w+)` \|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def operator(stack: Stack) -> Dialer:
    return dialer(stack.opened, "operator")


# ---- metrics ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def refused(own_stack: Stack, operator: Dialer) -> None:
    """One operation of every agent that Redis refuses: metrics and logs have no errors before one."""
    stack = own_stack
    entry = {"title": "Refused", "content": "by Redis"}
    requests: dict[str, Callable[[], httpx.Response]] = {
        "chat": lambda: httpx.get(stack.url("chat", "/chat/conversations"), timeout=SECONDS),
        "rag": lambda: httpx.post(
            stack.url("rag", "/rag/documents"), json={"id": "refused", "text": "Refused."}, timeout=SECONDS
        ),
        "npu": lambda: httpx.get(stack.url("npu", "/npu/files"), timeout=SECONDS),
        "research": lambda: httpx.post(
            stack.url("research", "/research/fetch"), json={"url": "http://127.0.0.1/"}, timeout=SECONDS
        ),
        "knowledge": lambda: httpx.post(
            stack.url("knowledge", "/knowledge/entries"), json=entry, timeout=SECONDS
        ),
    }
    try:
        with operator(0) as client:
            for name in stack.catalogs.agents:
                client.execute_command("ACL", "SETUSER", name, "clearselectors", "-@all")
        for request in requests.values():
            request()
    finally:
        stack.inv("database.reload")


@pytest.mark.obligation(26)
@pytest.mark.parametrize("metric", METRICS)
def test_a_documented_metric_exists_live(stack: Stack, agent_name: str, metric: str) -> None:
    family = live_metrics(stack, agent_name)[metric.removesuffix("_total")]
    assert {sample.labels["agent"] for sample in family.samples} <= {agent_name}
    # A counter by kind of error has no series before the first error.
    assert family.samples or metric == ERRORS


@pytest.mark.obligation(26)
@pytest.mark.usefixtures("own_stack", "refused")
def test_an_operation_that_redis_refuses_is_counted(stack: Stack, agent_name: str) -> None:
    samples = live_metrics(stack, agent_name)[ERRORS.removesuffix("_total")].samples
    counts = {sample.labels["error"]: sample.value for sample in samples}
    assert counts["NoPermissionError"] >= 1


def live_metrics(stack: Stack, agent: str) -> dict[str, Metric]:
    """What an agent tells Prometheus, by name of the family."""
    text = httpx.get(stack.url(agent, "/metrics"), timeout=SECONDS).text
    return {family.name: family for family in text_string_to_metric_families(text)}


# ---- alerts -------------------------------------------------------------------------------------


@contextmanager
def many_keys(stack: Stack, operator: Dialer) -> Iterator[None]:
    limit = stack.catalogs.databases[TESTING].alerts.keys
    with operator(stack.catalogs.databases[TESTING].number) as client:
        names = [f"test:alert:{number}" for number in range(limit + 1)]
        for start in range(0, len(names), BATCH):
            client.mset(dict.fromkeys(names[start : start + BATCH], 1))
        try:
            yield
        finally:
            for start in range(0, len(names), BATCH):
                client.unlink(*names[start : start + BATCH])


@contextmanager
def many_connections(stack: Stack, operator: Dialer) -> Iterator[None]:
    database = stack.catalogs.databases[TESTING]
    with ExitStack() as connections:
        for _ in range(database.alerts.connections + 1):
            connections.enter_context(operator(database.number)).ping()
        yield


@contextmanager
def much_memory(stack: Stack, operator: Dialer) -> Iterator[None]:
    """Values that are long and empty: memory like any other, written by commands of a few bytes."""
    database = stack.catalogs.databases[TESTING]
    with operator(database.number) as client:
        limit = int(str(client.config_get("maxmemory")["maxmemory"]))
        wanted = limit * (database.alerts.memory_percent + 5) // 100 - int(client.info()["used_memory"])
        names = [f"test:alert:{number}" for number in range(8)]
        try:
            for name in names:
                client.setrange(name, wanted // len(names), "x")
            yield
        finally:
            client.unlink(*names)


FORCED: dict[str, Callable[[Stack, Dialer], AbstractContextManager[None]]] = {
    "keys": many_keys,
    "connections": many_connections,
    "memory_percent": much_memory,
}


def fired(stack: Stack) -> tuple[set[str], str]:
    """Alerts of the testing database that `inv database.list` shows, and what `inv database.check` says."""
    said = stack.inv("database.list", "--json", "database.check", "--json").stdout.strip()
    listed, end = json.JSONDecoder().raw_decode(said)
    findings = json.loads(said[end:])["findings"]
    (alerts,) = [set(row["alerts"]) for row in listed["databases"] if row["name"] == TESTING]
    return alerts, "\n".join(each["message"] for each in findings if each["subject"] == TESTING)


@pytest.mark.obligation(26)
@pytest.mark.usefixtures("own_stack")
@pytest.mark.parametrize("alert", Alerts.model_fields)
def test_an_alert_fires_when_it_is_forced_and_ends_with_its_cause(
    stack: Stack, operator: Dialer, alert: str
) -> None:
    shown = alert.removesuffix("_percent")
    limit = getattr(stack.catalogs.databases[TESTING].alerts, alert)
    with FORCED[alert](stack, operator):
        alerts, message = fired(stack)
    assert alerts == {shown}
    assert message.startswith(shown)
    assert message.endswith(f"the alert is at {limit}")
    assert fired(stack) == (set(), "")


# ---- images -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def images() -> dict[str, ImageInputs]:
    """What the present sources call for, by target."""
    return read_inputs(load_settings(ROOT, {}), ROOT)


@pytest.mark.obligation(27)
def test_the_running_image_is_the_one_that_was_built_from_these_sources(
    stack: Stack, images: dict[str, ImageInputs], service_name: str
) -> None:
    wanted = images[service_name.removesuffix("-agent")]
    container = stack.container(service_name)
    assert container.attrs["Config"]["Image"] == wanted.reference
    # The tag could have been moved since: what runs is told by its digest.
    assert container.attrs["Image"] == stack.engine.images.get(wanted.reference).id


@pytest.mark.obligation(27)
def test_a_running_container_says_what_it_was_made_from(
    stack: Stack, images: dict[str, ImageInputs], service_name: str
) -> None:
    labels = stack.container(service_name).labels
    wanted = images[service_name.removesuffix("-agent")]
    assert json.loads(labels[INPUTS_LABEL]) == dict(wanted.inputs)
    assert labels["org.opencontainers.image.title"]
    assert labels["org.opencontainers.image.description"]
    if service_name.endswith("-agent"):
        assert labels["org.opencontainers.image.version"] == project_version(ROOT)


# ---- logs ---------------------------------------------------------------------------------------


def assert_tells(line: str, agent: str) -> None:
    """A JSON object with a time that has a zone, a known level, and this agent."""
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise AssertionError(f"not JSON: {line!r}") from error
    assert isinstance(record, dict), line
    assert datetime.fromisoformat(record["time"]).tzinfo is not None, line
    assert record["level"] in LEVELS, line
    assert record["agent"] == agent, line


@pytest.mark.obligation(28)
def test_every_line_of_an_agents_log_is_json_with_time_level_and_agent(stack: Stack, agent_name: str) -> None:
    """Everything since the container's start: the shell's lines, the server's, the libraries'."""
    httpx.get(stack.url(agent_name, "/nothing-here"), timeout=SECONDS)
    container = stack.container(f"{agent_name}-agent")
    lines = container.logs().decode().splitlines()
    assert any('"message": "starting: ' in line for line in lines)
    assert any("GET /nothing-here 404" in line for line in lines)
    for line in lines:
        assert_tells(line, agent_name)


@pytest.mark.obligation(28)
@pytest.mark.usefixtures("own_stack", "refused")
def test_a_failure_is_logged_as_json_too(stack: Stack, agent_name: str) -> None:
    lines = stack.container(f"{agent_name}-agent").logs().decode().splitlines()
    assert any("has no permissions" in line for line in lines)
    for line in lines:
        assert_tells(line, agent_name)


@pytest.mark.obligation(28)
def test_an_agent_keeps_the_same_lines_in_its_log_folder(stack: Stack, agent_name: str) -> None:
    marker = f"observability-{time.time_ns()}"
    httpx.get(stack.url(agent_name, f"/{marker}"), timeout=SECONDS)
    container = stack.container(f"{agent_name}-agent")
    kept = output_of(container, "cat", f"/app/logs/{agent_name}.log").splitlines()
    (line,) = [each for each in kept if marker in each]
    assert line in container.logs().decode().splitlines()
    for each in kept:
        assert_tells(each, agent_name)
