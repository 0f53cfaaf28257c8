"""The encrypted view against a real server, as the chat agent's user: the same obligations for both twins."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from redis.exceptions import DataError, ResponseError

from autobot_ops.isolation.data_keys import new_key_ring, rotate_key_ring
from src.errors import ConfigurationInvalid
from src.utils.encrypted_commands import CommandNotEncryptable
from src.utils.envelope import ValueTampered, is_envelope
from src.utils.key_ring import UnknownDataKey
from src.utils.redis_database_manager import redis_db_manager
from src.utils.value_sealer import ValueNotEncrypted
from tests.component.redis_process import RedisProcess

SESSIONS = 6


class Twin:
    """One of the two views; `view.get("key")` runs to its end in either."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.loop = asyncio.new_event_loop()

    def run(self, answer: Any) -> Any:
        return self.loop.run_until_complete(answer) if inspect.isawaitable(answer) else answer

    def view(self, database: str = "sessions", **options: Any) -> Any:
        if self.kind == "threads":
            return redis_db_manager.get_encrypted_connection(database, **options)

        async def make() -> Any:
            return redis_db_manager.get_async_encrypted_connection(database, **options)

        return self.run(make())

    def __getattr__(self, command: str) -> Callable[..., Any]:
        return lambda *arguments, **options: self.run(getattr(self.view(), command)(*arguments, **options))

    def close(self) -> None:
        self.run(_close_clients())
        self.loop.close()


async def _close_clients() -> None:
    await redis_db_manager.close_all_async_connections()


@pytest.fixture(params=["threads", "asyncio"])
def twin(request: pytest.FixtureRequest, act_as: Callable[[str], None]) -> Iterator[Twin]:
    act_as("chat")
    twin = Twin(request.param)
    yield twin
    twin.close()


@pytest.fixture
def stored(redis_process: RedisProcess) -> Iterator[redis.Redis]:
    """What the server really holds, as bytes."""
    client = redis.Redis(
        port=redis_process.port,
        db=SESSIONS,
        username="operator",
        password=redis_process.passwords["operator"],
    )
    with client:
        yield client


def test_a_string_comes_back_and_is_ciphertext_on_the_server(twin: Twin, stored: redis.Redis) -> None:
    assert twin.set("session:1", "grüße", ex=60) is True
    assert twin.get("session:1") == "grüße"
    assert 0 < twin.ttl("session:1") <= 60
    raw = stored.get("session:1")
    assert isinstance(raw, bytes)
    assert is_envelope(raw)
    assert "grüße".encode() not in raw


def test_set_obeys_its_conditions(twin: Twin) -> None:
    assert twin.set("session:1", "a", xx=True) is None
    assert twin.set("session:1", "a", nx=True, px=60_000) is True
    assert twin.set("session:1", "b", nx=True) is None
    assert twin.get("session:1") == "a"
    assert twin.get("session:none") is None


def test_several_strings_at_once(twin: Twin) -> None:
    assert twin.mset({"session:1": "a", "session:2": 2}) is True
    assert twin.mget("session:1", "session:none", "session:2") == ["a", None, "2"]
    assert twin.mget(["session:2", "session:1"]) == ["2", "a"]
    assert twin.exists("session:1", "session:2", "session:none") == 2
    assert twin.delete("session:1", "session:2") == 2


def test_a_hash_comes_back_whole_and_by_field(twin: Twin, stored: redis.Redis) -> None:
    assert twin.hset("session:1", "user", "ann", mapping={"visits": 3, "score": 0.5}) == 3
    assert twin.hgetall("session:1") == {"user": "ann", "visits": "3", "score": "0.5"}
    assert twin.hget("session:1", "user") == "ann"
    assert twin.hget("session:1", "none") is None
    assert twin.hmget("session:1", ["visits", "none"]) == ["3", None]
    assert twin.hexists("session:1", "user") is True
    assert twin.hdel("session:1", "user") == 1
    raw = stored.hgetall("session:1")
    assert set(raw) == {b"visits", b"score"}
    assert all(isinstance(value, bytes) and is_envelope(value) for value in raw.values())


def test_a_list_keeps_its_order(twin: Twin, stored: redis.Redis) -> None:
    assert twin.rpush("chat:1", "b", "c") == 2
    assert twin.lpush("chat:1", "a") == 3
    assert twin.lrange("chat:1", 0, -1) == ["a", "b", "c"]
    assert twin.lindex("chat:1", 1) == "b"
    assert twin.lindex("chat:1", 9) is None
    assert twin.ltrim("chat:1", 1, -1) is True
    assert twin.llen("chat:1") == 2
    assert all(isinstance(value, bytes) and is_envelope(value) for value in stored.lrange("chat:1", 0, -1))
    assert (twin.lpop("chat:1"), twin.rpop("chat:1"), twin.lpop("chat:1")) == ("b", "c", None)


def test_times_to_live_are_the_servers(twin: Twin) -> None:
    twin.set("session:1", "a")
    assert twin.ttl("session:1") == -1
    assert twin.expire("session:1", 100)
    assert 90 < twin.ttl("session:1") <= 100
    assert twin.persist("session:1")
    assert twin.ttl("session:1") == -1


def test_bytes_come_back_as_bytes_where_asked(twin: Twin) -> None:
    view = twin.view(decode_responses=False)
    twin.run(view.hset("session:1", mapping={b"picture": b"\xff\x00"}))
    assert twin.run(view.hgetall("session:1")) == {b"picture": b"\xff\x00"}
    assert twin.run(view.get("session:none")) is None


def test_a_value_moved_to_another_key_field_or_list_does_not_open(twin: Twin, stored: redis.Redis) -> None:
    twin.set("session:1", "mine")
    twin.hset("auth:1", mapping={"role": "user", "name": "admin"})
    twin.rpush("chat:1", "hello")
    raw = stored.get("session:1")
    assert isinstance(raw, bytes)
    stored.set("session:2", raw)
    stored.rpush("chat:2", *stored.lrange("chat:1", 0, -1))
    stored.hset("auth:1", "role", stored.hget("auth:1", "name") or b"")
    for command, *arguments in (
        ("get", "session:2"), ("hget", "auth:1", "role"), ("hgetall", "auth:1"), ("lrange", "chat:2", 0, -1),
    ):  # fmt: skip
        with pytest.raises(ValueTampered):
            getattr(twin, command)(*arguments)
    assert twin.get("session:1") == "mine"


def test_a_value_moved_to_another_database_does_not_open(
    twin: Twin, stored: redis.Redis, redis_process: RedisProcess
) -> None:
    twin.set("session:1", "mine")
    raw = stored.get("session:1")
    assert isinstance(raw, bytes)
    with redis_process.operator(0) as main:
        main.set("cache:1", raw)
        main.set("session:1", raw)
    with pytest.raises(ValueTampered):
        twin.run(twin.view("main").get("cache:1"))


def test_a_changed_value_does_not_open(twin: Twin, stored: redis.Redis) -> None:
    twin.set("session:1", "mine")
    stored.setrange("session:1", stored.strlen("session:1") - 1, b"\x00\x00")
    with pytest.raises(ValueTampered, match="session:1"):
        twin.get("session:1")


def test_plain_values_are_refused_unless_a_migration_allows_them_and_then_counted(
    twin: Twin, stored: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.set("session:old", "from before")
    with pytest.raises(ValueNotEncrypted, match="DATA_KEYS_ALLOW_PLAINTEXT"):
        twin.get("session:old")
    monkeypatch.setenv("DATA_KEYS_ALLOW_PLAINTEXT", "1")
    redis_db_manager.reset()
    assert twin.get("session:old") == "from before"
    assert redis_db_manager.sealer("sessions").statistics.plaintext == 1
    twin.set("session:old", "from now")
    assert twin.get("session:old") == "from now"
    assert redis_db_manager.sealer("sessions").statistics.plaintext == 1


def test_a_rotation_reads_former_values_and_writes_with_the_new_key(
    twin: Twin, stored: redis.Redis, redis_process: RedisProcess
) -> None:
    ring = redis_process.data_keys_file
    twin.set("session:1", "before")
    former = ring.read_text()
    ring.write_text(rotate_key_ring(former))
    assert twin.get("session:1") == "before"
    twin.set("session:2", "after")
    ring.write_text(former)
    assert twin.get("session:1") == "before"
    with pytest.raises(UnknownDataKey):
        twin.get("session:2")


def test_another_ring_opens_nothing(twin: Twin, redis_process: RedisProcess) -> None:
    twin.set("session:1", "mine")
    redis_process.data_keys_file.write_text(new_key_ring())
    with pytest.raises(UnknownDataKey):
        twin.get("session:1")


def test_a_pipeline_answers_in_order(twin: Twin) -> None:
    pipeline = twin.view().pipeline()
    pipeline.set("session:1", "a").hset("session:2", "f", "b")
    pipeline.unencrypted("ZADD", "chat:index", 1.5, "first")
    pipeline.get("session:1")
    pipeline.hgetall("session:2")
    pipeline.unencrypted("ZRANGE", "chat:index", 0, -1)
    assert twin.run(pipeline.execute()) == [True, 1, 1, "a", {"f": "b"}, ["first"]]
    assert twin.run(pipeline.execute()) == []


def test_an_error_in_a_pipeline_stands_where_its_reply_would(twin: Twin) -> None:
    twin.set("session:1", "a")
    pipeline = twin.view().pipeline(transaction=False)
    pipeline.llen("session:1")
    pipeline.get("session:1")
    failed, value = twin.run(pipeline.execute(raise_on_error=False))
    assert isinstance(failed, ResponseError)
    assert value == "a"


def test_a_value_that_does_not_open_is_raised_from_a_pipeline_or_stands_in_it(
    twin: Twin, stored: redis.Redis
) -> None:
    stored.set("session:1", "plain")
    twin.set("session:2", "sealed")
    for raise_on_error in (True, False):
        pipeline = twin.view().pipeline()
        pipeline.get("session:1")
        pipeline.get("session:2")
        if raise_on_error:
            with pytest.raises(ValueNotEncrypted):
                twin.run(pipeline.execute())
        else:
            refused, value = twin.run(pipeline.execute(raise_on_error=False))
            assert isinstance(refused, ValueNotEncrypted)
            assert value == "sealed"


def test_a_transaction_is_repeated_when_somebody_was_faster(twin: Twin, redis_process: RedisProcess) -> None:
    twin.set("session:1", "0")
    rounds: list[str] = []

    def append(pipeline: Any, value: str) -> str:
        rounds.append(value)
        if len(rounds) == 1:
            # Another client, in the middle of our transaction.
            redis_db_manager.get_encrypted_connection("sessions").set("session:1", "disturbed")
        pipeline.multi()
        pipeline.set("session:1", value + "!")
        return value

    if twin.kind == "threads":
        answer = twin.view().transaction(
            lambda pipeline: append(pipeline, pipeline.get("session:1")),
            "session:1",
            value_from_callable=True,
        )
    else:

        async def work(pipeline: Any) -> str:
            return append(pipeline, await pipeline.get("session:1"))

        answer = twin.run(twin.view().transaction(work, "session:1", value_from_callable=True))
    assert rounds == ["0", "disturbed"]
    assert answer == "disturbed"
    assert twin.get("session:1") == "disturbed!"


@pytest.mark.parametrize(
    "command", ["append", "incr", "hincrby", "setrange", "sort", "strlen", "sadd", "rename"]
)
def test_refuses_what_the_server_would_have_to_see_values_for(twin: Twin, command: str) -> None:
    with pytest.raises(CommandNotEncryptable, match=f"{command} can't work on encrypted values"):
        getattr(twin.view(), command)("session:1", 1)


def test_refuses_what_it_does_not_offer_and_knows_what_nobody_offers(twin: Twin) -> None:
    with pytest.raises(CommandNotEncryptable, match="get_connection"):
        twin.view().xadd("session:1", {"a": 1})
    with pytest.raises(AttributeError, match="no attribute 'frobnicate'"):
        twin.view().frobnicate()


def test_refuses_values_that_have_no_one_form(twin: Twin) -> None:
    for value in (None, True, ["a"]):
        with pytest.raises(DataError):
            twin.set("session:1", value)


def test_refuses_a_database_whose_level_asks_for_no_encryption(twin: Twin) -> None:
    with pytest.raises(ConfigurationInvalid, match="'prompts' asks for no encryption"):
        twin.view("prompts")
