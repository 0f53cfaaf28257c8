"""Every agent's health endpoints, as a monitor and a load balancer see them."""

from __future__ import annotations

import httpx
import pytest

from autobot_ops.stack.image_inputs import project_version
from tests.conftest import ROOT
from tests.integration.conftest import Stack

REQUESTS = "autobot_http_requests_total{"


@pytest.mark.obligation(3)
def test_health_passes_with_media_type_id_and_version(stack: Stack, agent_name: str) -> None:
    response = httpx.get(stack.url(agent_name, f"/health/{agent_name}"))
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].split(";")[0] == "application/health+json"
    document = response.json()
    assert document["status"] == "pass"
    assert document["serviceId"] == agent_name
    assert document["version"] == project_version(ROOT)


@pytest.mark.obligation(3)
def test_health_looks_at_everything_that_the_agent_depends_on(stack: Stack, agent_name: str) -> None:
    agent = stack.catalogs.agent(agent_name)
    checks = httpx.get(stack.url(agent_name, f"/health/{agent_name}")).json()["checks"]
    seen = {name: check["status"] for name, (check,) in checks.items()}
    databases = {f"redis.{name}:responseTime" for name in agent.databases}
    assert {name for name in seen if name.startswith("redis.")} == databases
    assert ("postgres:responseTime" in seen) is agent.postgres
    assert {"catalog:digest", "cpu:utilization", "memory:utilization", "disk:utilization"} <= set(seen)
    assert set(seen.values()) == {"pass"}
    for name in agent.databases:
        (check,) = checks[f"redis.{name}:responseTime"]
        assert check["componentId"] == str(stack.catalogs.databases[name].number)


@pytest.mark.obligation(4)
def test_an_unknown_path_is_404(stack: Stack, agent_name: str) -> None:
    for path in ("/nothing-here", "/", f"/health/{agent_name}/nothing", "/health/nobody"):
        response = httpx.get(stack.url(agent_name, path))
        assert response.status_code == 404, path


@pytest.mark.obligation(4)
def test_livez_and_readyz_answer_200(stack: Stack, agent_name: str) -> None:
    assert httpx.get(stack.url(agent_name, "/livez")).status_code == 200
    ready = httpx.get(stack.url(agent_name, "/readyz"))
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "reasons": []})


@pytest.mark.obligation(4)
def test_metrics_count_the_requests_that_were_made(stack: Stack, agent_name: str) -> None:
    def counted() -> float:
        response = httpx.get(stack.url(agent_name, "/metrics"))
        assert response.headers["content-type"].startswith("text/plain")
        lines = [line for line in response.text.splitlines() if line.startswith(REQUESTS)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if 'route="/livez"' in line)

    before = counted()
    httpx.get(stack.url(agent_name, "/livez"))
    # Nobody else asks for it: the container's own health check looks at /readyz.
    assert counted() == before + 1
