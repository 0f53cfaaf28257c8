"""Both historical positional orders, keywords, and what is refused. Nothing here connects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.asyncio

from src.errors import UnknownDatabase
from src.utils import redis_client
from src.utils.redis_client import get_redis_client, recognise_arguments, reset_redis_clients
from src.utils.redis_database_manager import RedisDatabase, RedisDatabaseManager, redis_db_manager


@pytest.fixture(autouse=True)
def _fresh_clients() -> Iterator[None]:
    reset_redis_clients()
    yield
    reset_redis_clients()


def number_of(client: redis.Redis | redis.asyncio.Redis) -> int:
    return int(client.connection_pool.connection_kwargs["db"])


@pytest.mark.parametrize(
    "positional",
    [(False, "sessions"), ("sessions", False), ("sessions",), (RedisDatabase("sessions"), False)],
)
def test_either_positional_order_is_recognised_by_type(positional: tuple[Any, ...]) -> None:
    client = get_redis_client(*positional)
    assert isinstance(client, redis.Redis)
    assert number_of(client) == 6


@pytest.mark.parametrize("positional", [(True, "sessions"), ("sessions", True)])
async def test_either_positional_order_gives_an_async_client(positional: tuple[Any, ...]) -> None:
    client = get_redis_client(*positional)
    assert isinstance(client, redis.asyncio.Redis)
    assert number_of(client) == 6


def test_keywords_work_alone_and_beside_a_positional_argument() -> None:
    assert number_of(get_redis_client(database="prompts")) == 2
    assert number_of(get_redis_client(async_client=False, database="prompts")) == 2
    assert number_of(get_redis_client(False, database="prompts")) == 2


def test_without_arguments_it_is_the_main_database() -> None:
    assert number_of(get_redis_client()) == 0


@pytest.mark.parametrize(
    ("positional", "keywords"),
    [
        (("main", "sessions"), {}),
        ((True, False), {}),
        ((3,), {}),
        ((None,), {}),
        (("main",), {"database": "main"}),
        ((), {"database": True}),
        ((), {"async_client": "main"}),
    ],
)
def test_refuses_arguments_that_are_ambiguous(positional: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        recognise_arguments(positional, keywords)


def test_an_unknown_name_is_never_database_0() -> None:
    with pytest.raises(UnknownDatabase, match="Did you mean 'metrics'"):
        get_redis_client(database="metric")


def test_named_functions_give_their_databases() -> None:
    numbers = {
        "get_main_redis": 0,
        "get_knowledge_base_redis": 1,
        "get_prompts_redis": 2,
        "get_agents_redis": 3,
        "get_metrics_redis": 4,
    }
    assert {name: number_of(getattr(redis_client, name)()) for name in numbers} == numbers


def test_clients_are_shared_per_database_and_kind_of_reply() -> None:
    assert get_redis_client(database="main") is redis_db_manager.get_main_connection()
    assert get_redis_client(database="main") is get_redis_client(database=RedisDatabase("main"))
    assert get_redis_client(database="main") is not get_redis_client(database="main", decode_responses=False)
    assert get_redis_client(database="main") is not get_redis_client(database="main", socket_timeout=30)


def test_a_reset_gives_new_clients_and_reads_the_environment_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = get_redis_client(database="main")
    monkeypatch.setenv("REDIS_PORT", "6400")
    assert get_redis_client(database="main") is before
    reset_redis_clients()
    assert get_redis_client(database="main").connection_pool.connection_kwargs["port"] == 6400


def test_a_pool_has_the_bound_of_its_database_and_waits_instead_of_failing() -> None:
    pool = get_redis_client(database="metrics").connection_pool
    assert isinstance(pool, redis.BlockingConnectionPool)
    assert pool.max_connections == redis_db_manager.entry("metrics").pool_bound == 2


def test_options_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(TypeError, match="hashable"):
        get_redis_client(database="main", socket_keepalive_options={})


def test_the_members_of_the_enumeration_are_the_catalogs_rows() -> None:
    assert RedisDatabase.KNOWLEDGE.value == 1
    assert RedisDatabase.KNOWLEDGE == "knowledge"
    assert RedisDatabase["SESSIONS"].name == "SESSIONS"
    assert {member.name: member.value for member in RedisDatabase}["TESTING"] == 15
    assert len(RedisDatabase) == len(redis_db_manager.database_names)


def test_an_unknown_member_names_the_nearest_one() -> None:
    with pytest.raises(AttributeError, match="Did you mean 'vectors'"):
        _ = RedisDatabase.VECTOR
    with pytest.raises(KeyError, match="Did you mean 'vectors'"):
        RedisDatabase["VECTOR"]


async def test_awaiting_an_async_connection_gives_the_client_itself() -> None:
    manager = RedisDatabaseManager()
    client = await manager.get_async_connection("main")
    assert client is manager.get_async_connection("main")
    assert client is manager.get_main_async_connection()


def test_an_async_connection_outside_of_an_event_loop_is_refused() -> None:
    with pytest.raises(RuntimeError, match="event loop"):
        RedisDatabaseManager().get_async_connection("main")


def test_a_manager_with_a_wrong_path_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="cannot read"):
        RedisDatabaseManager("/nowhere/redis-databases.yaml")
