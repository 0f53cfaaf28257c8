"""Mixed keys for the benchmark of restores: written as fast as a server takes them.

60 % strings, then hashes, lists, sets, sorted sets and streams with a group, 20 % with a time to live; with
`huge`, four keys that no server should get in one command.
"""

from __future__ import annotations

import random

from autobot_ops.rdb.stream import Endpoint
from autobot_ops.restore.pace import Pace
from autobot_ops.restore.pipe import CommandPipe

FAR = 4_000_000_000_000
_WORDS = [b"status", b"user", b"assistant", b"content", b"timestamp", b"none", b"true", b"17", b"knowledge"]


def fill(port: int, number: int, keys: int, *, huge: bool) -> None:
    """Write `keys` keys into a database; the same ones for the same arguments."""
    chooser = random.Random(keys)  # noqa: S311 - repeatable, not secret
    texts = [b" ".join(chooser.choices(_WORDS, k=chooser.randint(2, 18))) for _ in range(2000)]
    with CommandPipe(Endpoint("127.0.0.1", port), number, Pace(1024 * 1024, adaptive=False)) as pipe:
        send = pipe.send
        for index in range(keys):
            kind = index % 20
            key = b"session:%d:%d" % (kind, index)
            text = texts[index % 2000]
            expiry: tuple[bytes | int, ...] = (b"PXAT", FAR + index) if index % 5 == 0 else ()
            if kind < 12:
                send((b"SET", key, text, *expiry))
                continue
            if kind < 15:
                send((b"HSET", key, b"role", b"user", b"content", text, b"tokens", index))
            elif kind == 15:
                send((b"RPUSH", key, *texts[index % 1990 : index % 1990 + 6]))
            elif kind == 16:
                send((b"SADD", key, *range(index, index + 8)))
            elif kind < 19:
                send((b"ZADD", key, index / 7, b"first", index / 3, text))
            else:
                send((b"XADD", key, b"%d-1" % (index + 1), b"event", text))
                send((b"XGROUP", b"CREATE", key, b"readers", b"0"))
            if expiry:
                send((b"PEXPIREAT", key, FAR + index))
        if huge:
            _huge(pipe, texts)
        pipe.finish()


def _huge(pipe: CommandPipe, texts: list[bytes]) -> None:
    for start in range(0, 1_000_000, 100):
        numbers = range(start, start + 100)
        pairs = [word for n in numbers for word in (b"field:%d" % n, texts[n % 2000][:40])]
        pipe.send((b"HSET", b"huge:hash", *pairs))
        if start < 500_000:
            scored = [word for n in numbers for word in (n * 0.37, b"member:%d" % n)]
            pipe.send((b"ZADD", b"huge:zset", *scored))
        if start < 300_000:
            pipe.send((b"RPUSH", b"huge:list", *(texts[n % 2000] for n in numbers)))
            pipe.send((b"SADD", b"huge:set", *(b"member:%d" % n for n in numbers)))
