"""Keys of every type and encoding, deterministic, in several databases."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import redis

from tests.component.rdb.data_server import DataServer

FAR = 4_000_000_000_000
"""An expiry far away, in milliseconds."""
DATABASES = (0, 1, 5)
_WORDS = ("status", "user", "assistant", "content", "timestamp", "none", "true", "17", "-5", "3.25")
LIBRARY = "#!lua name=mylib\nredis.register_function('one', function() return 1 end)"


def fill(
    server: DataServer, keys: int = 300, *, odd: bool = True, databases: Sequence[int] = DATABASES
) -> None:
    """Write `keys` usual keys into each database, the odd ones, and a function library where possible."""
    for number in databases:
        chooser = random.Random(number)
        with server.client(number) as client:
            pipe = client.pipeline(transaction=False)
            for index in range(keys):
                _usual_key(pipe, chooser, f"key:{index}:{chooser.random()}")
            pipe.execute()
            if odd:
                _odd_keys(client, chooser)
            _streams(client)
            _field_expiry(server, number)
    _where_known(server, "FUNCTION", "LOAD", LIBRARY)


def _where_known(server: DataServer, *words: object, number: int = 0) -> None:
    """Run a command unless the server is too old for it."""
    try:
        server.command(*words, number=number)
    except redis.ResponseError as error:
        if "unknown command" not in str(error).lower():
            raise


def _text(chooser: random.Random) -> str:
    return " ".join(chooser.choices(_WORDS, k=chooser.randint(1, 30)))


def _usual_key(pipe: Any, chooser: random.Random, key: str) -> None:
    match chooser.randrange(9):
        case 0:
            pipe.set(key, chooser.randrange(-(10**12), 10**12))
        case 1:
            pipe.set(key, _text(chooser))
        case 2:
            pipe.hset(key, mapping={f"field {n}": _text(chooser)[:50] for n in range(chooser.randint(1, 9))})
        case 3:
            pipe.hset(key, mapping={f"field {n}": _text(chooser) for n in range(chooser.randint(1, 200))})
        case 4:
            pipe.rpush(key, *[_text(chooser) for _ in range(chooser.randint(1, 120))])
        case 5:
            pipe.sadd(key, *[_text(chooser) for _ in range(chooser.randint(1, 9))])
        case 6:
            pipe.sadd(key, *chooser.sample(range(-(10**10), 10**10), chooser.randint(1, 20)))
        case 7:
            scores = [chooser.random(), float(chooser.randrange(100)), 1e300, float("inf"), -0.1]
            pipe.zadd(key, {_text(chooser): chooser.choice(scores) for _ in range(chooser.randint(1, 9))})
        case 8:
            pipe.zadd(
                key, {f"member {n}": chooser.random() * 10**n for n in range(chooser.randint(100, 150))}
            )
    if chooser.random() < 0.3:
        pipe.pexpireat(key, FAR + chooser.randrange(10**9))


def _odd_keys(client: redis.Redis, chooser: random.Random) -> None:
    client.set(b"\x00\xff binary \r\n", b"\x80\x81" * 50)
    client.set(b"", b"")
    client.set("12345", "an integer for a name")
    client.set("k" * 500, "x" * 100_000)
    client.set("random", chooser.randbytes(300_000))
    # Tables that outgrew their packed form and shrank again.
    client.hset("shrunk:hash", mapping={str(n): "v" * 100 for n in range(600)})
    client.hdel("shrunk:hash", *[str(n) for n in range(595)])
    client.hset("shrunk:hash", mapping={str(n): "short" for n in range(595, 600)})
    client.sadd("shrunk:set", *[f"member {n}" for n in range(700)])
    client.srem("shrunk:set", *[f"member {n}" for n in range(697)])
    client.zadd("shrunk:zset", {f"member {n}": n / 8 for n in range(700)})
    client.zremrangebyrank("shrunk:zset", 3, -1)
    client.hset("big:hash", mapping={f"field {n}": n if n % 2 else f"text {n} " * 5 for n in range(3000)})
    client.sadd("big:set", *[f"member {n}" for n in range(3000)])
    client.zadd("big:zset", {f"member {n}": n * 0.1 - 50 for n in range(3000)})
    client.rpush("big:list", *[f"element {n} " * (n % 40) for n in range(3000)])
    client.rpush("long elements", "a" * 9000, b"b" * 70_000, "c", chooser.randbytes(9000))
    client.lset("big:list", 1500, "changed in the middle")
    client.hset("long fields", mapping={"name": "n" * 70_000, "v" * 70_000: "1"})


def _streams(client: redis.Redis) -> None:
    client.xadd("stream:empty", {"gone": "1"}, id="5-1")
    client.xdel("stream:empty", "5-1")
    for number in range(1, 400):
        fields: dict[Any, Any] = {"name": f"value {number}", "17": number}
        client.xadd(
            "stream",
            fields | ({"extra": "e" * number} if number % 7 == 0 else {}),
            id=f"{number * 10}-{number % 3}",
        )
    client.xdel("stream", "20-2", "30-0", "1000-1")
    client.xtrim("stream", minid="500", approximate=False)
    client.xgroup_create("stream", "readers", "0")
    client.xgroup_create("stream", "idle", "$")
    client.xreadgroup("readers", "Ann", {"stream": ">"}, count=20)
    client.xreadgroup("readers", "Bob", {"stream": ">"}, count=10)
    client.xack("stream", "readers", "510-0")
    client.xgroup_createconsumer("stream", "idle", "nobody")


def _field_expiry(server: DataServer, number: int) -> None:
    for key, count in (("ttl:few", 5), ("ttl:many", 700)):
        with server.client(number) as client:
            client.hset(key, mapping={f"field {n}": f"value {n}" for n in range(count)})
        for at, fields in ((FAR, ("field 1", "field 3")), (FAR + 777, ("field 2",))):
            _where_known(server, "HPEXPIREAT", key, at, "FIELDS", len(fields), *fields, number=number)
