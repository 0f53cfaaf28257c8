"""One Redis and one agent for the tests of a file: each test has documents and conversations of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.component.agent_process import AgentProcess
from tests.component.redis_process import RedisProcess

StartLightAgent = Callable[..., AgentProcess]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """A redis-server with the rights that agents have."""
    server = RedisProcess(tmp_path_factory.mktemp("redis") / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def start_light(server: RedisProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartLightAgent]:
    """Start agents with light models; further keywords are environment variables."""
    started: list[AgentProcess] = []
    folder = tmp_path_factory.mktemp("agents")

    def start(name: str, **environment: str) -> AgentProcess:
        agent = AgentProcess(
            name,
            server.environment(name) | environment,
            folder / name,
            module="tests.component.ai_agents.light_models",
        )
        agent.folder.mkdir(exist_ok=True)
        agent.start()
        started.append(agent)
        return agent

    yield start
    for agent in started:
        agent.stop()
