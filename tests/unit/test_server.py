"""The shared server around an agent that needs nothing: errors, limits, identifiers, metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import redis
from fastapi import APIRouter
from pydantic import BaseModel, Field

from src.agents.agent import Agent
from src.agents.server import create_app
from src.agents.settings import AgentSettings

LIMIT = 2048
REDIS_ERRORS: dict[str, redis.RedisError] = {
    "away": redis.ConnectionError("connection refused"),
    "full": redis.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
    "disk": redis.ResponseError("MISCONF Errors writing to the AOF file: No space left on device"),
    "right": redis.exceptions.NoPermissionError("this user has no permissions to access the key 'swordfish'"),
    "pipeline": redis.ResponseError(
        "Command # 1 (SET x 1) of pipeline caused error: ('MISCONF Errors writing to the AOF file: …',)"
    ),
}


class Text(BaseModel):
    text: str = Field(min_length=1, max_length=10)


class EchoAgent(Agent):
    def router(self) -> APIRouter:
        router = APIRouter(prefix="/echo")

        @router.post("")
        async def echo(request: Text) -> Text:
            return request

        @router.get("/bug")
        async def bug() -> None:
            raise ZeroDivisionError("secret detail")

        @router.get("/redis/{error}")
        async def redis_error(error: str) -> None:
            raise REDIS_ERRORS[error]

        return router


class LoadingAgent(EchoAgent):
    loads = "model"


async def client_of(folder: Path, agent: type[Agent]) -> AsyncIterator[httpx.AsyncClient]:
    settings = AgentSettings(name="chat", version="1.2.3", data_dir=folder, max_body_bytes=LIMIT)
    transport = httpx.ASGITransport(create_app(settings, make_agent=agent))
    async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
        yield client


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async for one in client_of(tmp_path, EchoAgent):
        yield one


@pytest.fixture
async def loading_client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async for one in client_of(tmp_path, LoadingAgent):
        yield one


def assert_problem(answer: httpx.Response, status: int) -> dict[str, object]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, object] = answer.json()
    assert document["status"] == status
    assert document["request_id"] == answer.headers["x-request-id"]
    return document


async def test_health_has_the_format_the_identity_and_the_checks(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/chat")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/health+json"
    assert answer.headers["cache-control"] == "no-store"
    document = answer.json()
    assert (document["status"], document["version"], document["serviceId"]) == ("pass", "1.2.3", "chat")
    system = {"cpu:utilization", "memory:utilization", "disk:utilization"}
    assert set(document["checks"]) == system | {"catalog:digest"}


async def test_while_it_loads_health_warns_and_it_is_not_ready(loading_client: httpx.AsyncClient) -> None:
    health = await loading_client.get("/health/chat")
    assert (health.status_code, health.json()["status"]) == (200, "warn")
    ready = await loading_client.get("/readyz")
    assert (ready.status_code, ready.json()["reasons"]) == (503, ["model: model is loading"])
    assert (await loading_client.get("/livez")).status_code == 200


async def test_while_it_loads_requests_are_told_to_come_back(loading_client: httpx.AsyncClient) -> None:
    answer = await loading_client.post("/echo", json={"text": "hello"})
    assert_problem(answer, 503)
    assert answer.headers["retry-after"] == "2"


async def test_an_unknown_path_is_a_problem_document(client: httpx.AsyncClient) -> None:
    assert "/nowhere" in str(assert_problem(await client.get("/nowhere"), 404)["detail"])


async def test_a_wrong_method_says_which_are_right(client: httpx.AsyncClient) -> None:
    answer = await client.get("/echo")
    assert_problem(answer, 405)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("content", "errors"),
    [
        (b"{}", [{"field": "text", "message": "field required"}]),
        (b'{"text": ""}', [{"field": "text", "message": "string should have at least 1 character"}]),
        (b"{", [{"field": "body", "message": "JSON decode error"}]),
    ],
)
async def test_an_invalid_request_says_which_field_and_why(
    client: httpx.AsyncClient, content: bytes, errors: list[dict[str, str]]
) -> None:
    answer = await client.post("/echo", content=content, headers={"content-type": "application/json"})
    found = assert_problem(answer, 422)["errors"]
    assert str(found).lower() == str(errors).lower()


async def test_a_bug_is_a_problem_that_tells_nothing_of_the_inside(client: httpx.AsyncClient) -> None:
    answer = await client.get("/echo/bug")
    assert_problem(answer, 500)
    assert "secret detail" not in answer.text


async def test_refuses_a_body_that_declares_to_be_too_large(client: httpx.AsyncClient) -> None:
    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("the body was asked for")
        yield b""

    headers = {"content-length": str(LIMIT + 1)}
    assert_problem(await client.post("/echo", content=unread(), headers=headers), 413)


async def test_refuses_a_body_that_grows_too_large_without_declaring_it(client: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x" * (LIMIT // 2)

    headers = {"content-type": "application/json"}
    assert_problem(await client.post("/echo", content=pieces(), headers=headers), 413)


async def test_a_callers_identifier_is_kept_if_it_is_harmless(client: httpx.AsyncClient) -> None:
    kept = await client.get("/livez", headers={"X-Request-ID": "call-7.a"})
    assert kept.headers["x-request-id"] == "call-7.a"
    replaced = await client.get("/livez", headers={"X-Request-ID": 'a"b'})
    assert replaced.headers["x-request-id"] not in ("", 'a"b')


async def test_requests_are_counted_by_route_and_not_by_path(client: httpx.AsyncClient) -> None:
    await client.post("/echo", json={"text": "x"})
    await client.get("/nowhere/1")
    await client.request("BREW", "/nowhere/2")
    text = (await client.get("/metrics")).text
    assert 'autobot_http_requests_total{agent="chat",method="POST",route="/echo",status="200"} 1.0' in text
    assert 'route="unmatched",status="404"' in text
    assert 'method="other"' in text
    assert "/nowhere" not in text
    assert "BREW" not in text


@pytest.mark.parametrize(
    "name",
    [
        "autobot_http_request_seconds_bucket",
        "autobot_redis_errors_total",
        "autobot_agent_ready",
        "autobot_agent_info",
        "process_resident_memory_bytes",
    ],
)
async def test_a_metric_that_alerts_use_is_there(client: httpx.AsyncClient, name: str) -> None:
    await client.get("/livez")
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert name in answer.text


async def test_the_description_of_the_interface_stays_on(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert {"/echo", "/livez", "/readyz", "/metrics", "/health/chat"} <= set(document["paths"])
    assert document["info"]["version"] == "1.2.3"


async def test_a_right_that_is_missing_is_no_passing_fault(client: httpx.AsyncClient) -> None:
    response = await client.get("/echo/redis/right")
    detail = str(assert_problem(response, 500)["detail"])
    assert "rights" in detail
    assert "swordfish" not in detail
    assert "retry-after" not in response.headers
    assert (
        'autobot_redis_errors_total{agent="chat",error="NoPermissionError"} 1.0'
        in (await client.get("/metrics")).text
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [("away", "can't be reached"), ("full", "is full"), ("disk", "can't save"), ("pipeline", "can't save")],
)
async def test_a_redis_that_refuses_is_told_from_one_that_is_away(
    client: httpx.AsyncClient, error: str, words: str
) -> None:
    response = await client.get(f"/echo/redis/{error}")
    assert response.status_code == 503
    assert response.headers["retry-after"]
    assert response.headers["content-type"] == "application/problem+json"
    assert words in response.json()["detail"]
