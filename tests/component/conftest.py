"""Real servers for the tests of the runtime: each on a free loopback port, each ended by its id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from src.utils.redis_client import reset_redis_clients
from tests.component.agent_process import AgentProcess
from tests.component.postgres_process import PostgresProcess
from tests.component.redis_process import RedisProcess
from tests.component.tls_redis_process import TlsRedisProcess
from tests.component.web_server import WebServer

ONE_AFTER_THE_OTHER = ("small_stack",)
"""Folders whose tests share something; elsewhere it is a file at most."""

StartAgent = Callable[..., AgentProcess]


class KeptTogether(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """What shares servers runs in one worker. Not xdist's own groups: pytest 9.2 doesn't take their names."""

    def _split_scope(self, nodeid: str) -> str:
        file = PurePosixPath(nodeid.partition("::")[0])
        return str(file.parent if file.parent.name in ONE_AFTER_THE_OTHER else file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> KeptTogether:
    """How tests are dealt out to worker processes."""
    return KeptTogether(config, log)


@pytest.fixture
def redis_process(tmp_path: Path) -> Iterator[RedisProcess]:
    """A redis-server of the test's own, which it may end or freeze."""
    server = RedisProcess(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def tls_redis(tmp_path: Path) -> Iterator[TlsRedisProcess]:
    """A redis-server that speaks TLS, with secrets as a stack has them."""
    server = TlsRedisProcess(tmp_path / "tls-redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def act_as_over_tls(
    tls_redis: TlsRedisProcess, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], None]]:
    """As act_as, towards the server that speaks TLS."""

    def act(user: str) -> None:
        for variable, value in tls_redis.environment(user).items():
            monkeypatch.setenv(variable, value)
        reset_redis_clients()

    yield act
    reset_redis_clients()


@pytest.fixture
def act_as(redis_process: RedisProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Give this process the environment of an agent (or of the operator) and forget former clients."""

    def act(user: str) -> None:
        for variable, value in redis_process.environment(user).items():
            monkeypatch.setenv(variable, value)
        reset_redis_clients()

    yield act
    reset_redis_clients()


@pytest.fixture
def start_agent(redis_process: RedisProcess, tmp_path: Path) -> Iterator[StartAgent]:
    """Start agents as processes; further keywords are environment variables."""
    started: list[AgentProcess] = []

    def start(name: str, **environment: str) -> AgentProcess:
        agent = AgentProcess(name, redis_process.environment(name) | environment, tmp_path / name)
        agent.folder.mkdir(exist_ok=True)
        agent.start()
        started.append(agent)
        return agent

    yield start
    for agent in started:
        if agent.process is not None and agent.process.poll() is None:
            agent.stop()


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[PostgresProcess]:
    server = PostgresProcess()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def postgres_process(_postgres_server: PostgresProcess) -> Iterator[PostgresProcess]:
    """PostgreSQL with an empty database; a test may end it, the next one finds it running."""
    _postgres_server.fresh_database()
    yield _postgres_server
    if _postgres_server.process is None:
        _postgres_server.start()


@pytest.fixture
def website() -> Iterator[WebServer]:
    """A small web site on loopback."""
    server = WebServer()
    with server.running():
        yield server
