"""Every agent's health endpoints, as a monitor and a load balancer see them."""

from __future__ import annotations

import httpx

from tests.integration.conftest import Stack


def test_health_passes_and_checks_every_granted_database(stack: Stack, agent_name: str) -> None:
    response = httpx.get(stack.url(agent_name, f"/health/{agent_name}"))
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/health+json")
    document = response.json()
    assert document["status"] == "pass"
    assert document["serviceId"] == agent_name
    assert document["version"]
    agent = stack.catalogs.agent(agent_name)
    for database_name in agent.databases:
        (check,) = document["checks"][f"redis.{database_name}:responseTime"]
        assert check["status"] == "pass"
    assert ("postgres:responseTime" in document["checks"]) is agent.postgres
    assert {"cpu:utilization", "memory:utilization", "disk:utilization"} <= set(document["checks"])


def test_livez_and_readyz_answer_200(stack: Stack, agent_name: str) -> None:
    assert httpx.get(stack.url(agent_name, "/livez")).status_code == 200
    assert httpx.get(stack.url(agent_name, "/readyz")).status_code == 200


def test_metrics_count_requests(stack: Stack, agent_name: str) -> None:
    httpx.get(stack.url(agent_name, "/livez"))
    text = httpx.get(stack.url(agent_name, "/metrics")).text
    assert "autobot_http_requests_total" in text


def test_an_unknown_path_is_404(stack: Stack, agent_name: str) -> None:
    assert httpx.get(stack.url(agent_name, "/nothing-here")).status_code == 404
