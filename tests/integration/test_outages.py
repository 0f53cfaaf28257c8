"""Redis and PostgreSQL go away and come back: agents say so, live on, and recover with nobody's help.

Each is stopped once, for all agents together; the tests look at what was seen of each.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import httpx
import pytest

from tests.integration.conftest import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.disruptive, pytest.mark.usefixtures("own_stack")]

RecordProperty = Callable[[str, object], None]

NOTICED_SECONDS = 20
RECOVERED_SECONDS = 60
ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Answers:
    """What an agent said at one moment."""

    ready: int
    alive: int
    health: int
    status: str
    reasons: str


@dataclass(frozen=True)
class Outage:
    """A service that was stopped and started again, as the agents and the engine saw it."""

    meanwhile: dict[str, Answers]
    after: dict[str, Answers]
    recovery_seconds: dict[str, float]
    starts: dict[str, tuple[str, int]]
    """By agent: when its container was started last and how often the engine restarted it, before."""
    starts_after: dict[str, tuple[str, int]]


def ask(stack: Stack, agent: str) -> Answers:
    with httpx.Client(base_url=stack.url(agent, ""), timeout=ANSWER_SECONDS) as client:
        ready, health = client.get("/readyz"), client.get(f"/health/{agent}")
        alive = client.get("/livez").status_code
    reasons = " ".join(ready.json()["reasons"])
    return Answers(ready.status_code, alive, health.status_code, health.json()["status"], reasons)


def ask_all(stack: Stack) -> dict[str, Answers]:
    agents = list(stack.catalogs.agents)
    with ThreadPoolExecutor(max_workers=len(agents)) as pool:
        return dict(zip(agents, pool.map(partial(ask, stack), agents), strict=True))


def starts_of_agents(stack: Stack) -> dict[str, tuple[str, int]]:
    containers = {agent: stack.container(f"{agent}-agent") for agent in stack.catalogs.agents}
    return {
        agent: (each.attrs["State"]["StartedAt"], int(each.attrs["RestartCount"]))
        for agent, each in containers.items()
    }


def is_ready(stack: Stack, agent: str) -> bool:
    return httpx.get(stack.url(agent, "/readyz"), timeout=ANSWER_SECONDS).status_code == 200


def is_not_ready(stack: Stack, agent: str) -> bool:
    return not is_ready(stack, agent)


def all_healthy(stack: Stack) -> bool:
    return {each.attrs["State"]["Health"]["Status"] for each in stack.containers()} == {"healthy"}


def interrupt(stack: Stack, service: str, concerned: list[str]) -> Outage:
    """Stop a service until every agent that it concerns has noticed, then start it and wait for them."""
    starts = starts_of_agents(stack)
    container = stack.container(service)
    container.stop()
    try:
        for agent in concerned:
            noticed = f"{agent} says that {service} is gone"
            wait_until(partial(is_not_ready, stack, agent), noticed, NOTICED_SECONDS)
        meanwhile = ask_all(stack)
    finally:
        container.start()
    began = time.monotonic()
    recovery_seconds = {}
    for agent in concerned:
        wait_until(partial(is_ready, stack, agent), f"{agent} is ready again", RECOVERED_SECONDS)
        recovery_seconds[agent] = round(time.monotonic() - began, 1)
    after, starts_after = ask_all(stack), starts_of_agents(stack)
    wait_until(partial(all_healthy, stack), "the engine calls everything healthy", RECOVERED_SECONDS)
    return Outage(meanwhile, after, recovery_seconds, starts, starts_after)


@pytest.fixture(scope="module")
def without_redis(stack: Stack) -> Outage:
    return interrupt(stack, "redis", list(stack.catalogs.agents))


@pytest.fixture(scope="module")
def without_postgres(stack: Stack) -> Outage:
    return interrupt(stack, "postgres", [name for name, row in stack.catalogs.agents.items() if row.postgres])


def lives_and_says_why(answers: Answers, reason: str) -> bool:
    return (answers.ready, answers.alive, answers.health, answers.status) == (
        503,
        200,
        503,
        "fail",
    ) and reason in answers.reasons


@pytest.mark.obligation(5)
def test_without_redis_an_agent_lives_and_is_not_ready(without_redis: Outage, agent_name: str) -> None:
    assert lives_and_says_why(without_redis.meanwhile[agent_name], "redis."), without_redis.meanwhile


@pytest.mark.obligation(5)
def test_with_redis_back_an_agent_is_ready_by_itself(
    without_redis: Outage, agent_name: str, record_property: RecordProperty
) -> None:
    answers = without_redis.after[agent_name]
    assert (answers.ready, answers.health, answers.status) == (200, 200, "pass"), answers
    record_property(
        f"{agent_name} ready after Redis came back [s]", without_redis.recovery_seconds[agent_name]
    )


@pytest.mark.obligation(5)
def test_an_agent_is_not_restarted_because_redis_is_gone(without_redis: Outage, agent_name: str) -> None:
    assert without_redis.starts_after[agent_name] == without_redis.starts[agent_name]


@pytest.mark.obligation(6)
def test_without_postgresql_only_those_who_need_it_are_not_ready(
    stack: Stack, without_postgres: Outage, agent_name: str
) -> None:
    answers = without_postgres.meanwhile[agent_name]
    if stack.catalogs.agent(agent_name).postgres:
        assert lives_and_says_why(answers, "postgres"), answers
    else:
        assert (answers.ready, answers.alive, answers.status) == (200, 200, "pass"), answers


@pytest.mark.obligation(6)
def test_with_postgresql_back_an_agent_is_ready_by_itself(
    without_postgres: Outage, agent_name: str, record_property: RecordProperty
) -> None:
    answers = without_postgres.after[agent_name]
    assert (answers.ready, answers.health, answers.status) == (200, 200, "pass"), answers
    if (seconds := without_postgres.recovery_seconds.get(agent_name)) is not None:
        record_property(f"{agent_name} ready after PostgreSQL came back [s]", seconds)


@pytest.mark.obligation(6)
def test_an_agent_is_not_restarted_because_postgresql_is_gone(
    without_postgres: Outage, agent_name: str
) -> None:
    assert without_postgres.starts_after[agent_name] == without_postgres.starts[agent_name]
