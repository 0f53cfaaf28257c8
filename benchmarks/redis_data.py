"""Mixed data for benchmarks of backups: the kinds, sizes and expiries that applications keep.

60 % strings (counters, tokens, JSON), 12 % hashes, 8 % lists, 8 % sets, 8 % sorted sets, 4 % streams with a
group; 20 % of all with an expiry; four huge keys. Deterministic, over all databases of the catalog.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from typing import Any

import hiredis

HUGE_FIELDS, HUGE_SCORES, HUGE_ELEMENTS = 1_000_000, 500_000, 300_000
_BATCH = 2_000
_PIECE = 500
_VARIANTS = 20_000
_HOUR = 3600
_WORDS = (
    "user", "assistant", "status", "content", "timestamp", "completed", "pending", "none", "true", "model",
    "session", "the", "of", "and", "answer", "question", "error", "retry", "token", "source",
)  # fmt: skip

Command = tuple[Any, ...]


class Values:
    """Values to choose from: made once, so that filling is bound by the server."""

    def __init__(self, seed: int) -> None:
        self._chooser = chooser = random.Random(seed)  # noqa: S311 (repeatable, not secret)
        self.tokens = [
            f"{chooser.getrandbits(128):032x}"[: chooser.randint(12, 32)] for _ in range(_VARIANTS)
        ]
        self.texts = [" ".join(chooser.choices(_WORDS, k=chooser.randint(2, 8))) for _ in range(_VARIANTS)]
        self.documents = [self._document() for _ in range(_VARIANTS)]

    def _document(self) -> str:
        fields = "".join(
            f', "{self._chooser.choice(_WORDS)}": "{self._chooser.choice(self.texts)}"'
            for _ in range(self._chooser.randint(2, 6))
        )
        identity, at = self._chooser.choice(self.tokens), self._chooser.randrange(10**10)
        return f'{{"id": "{identity}", "at": {at}{fields}}}'

    def commands(self, number: int) -> Iterator[Command]:
        """What makes key `number`."""
        chooser, name = self._chooser, f"{_WORDS[number % 20]}:{number:x}"
        some = chooser.sample(self.tokens, chooser.randint(4, 10))
        match number % 25:
            case kind if kind < 5:
                yield "SET", f"count:{name}", chooser.randrange(10**9)
            case kind if kind < 10:
                yield "SET", f"token:{name}", chooser.choice(self.tokens)
            case kind if kind < 15:
                yield "SET", f"document:{name}", chooser.choice(self.documents)
            case kind if kind < 18:
                pairs = zip(_WORDS, some, strict=False)
                yield "HSET", f"hash:{name}", *(each for pair in pairs for each in pair)
            case kind if kind < 20:
                yield "RPUSH", f"list:{name}", *some, *chooser.sample(self.texts, 3)
            case kind if kind < 22:
                yield "SADD", f"set:{name}", *some
            case kind if kind < 24:
                yield "ZADD", f"zset:{name}", *(part for each in some for part in (chooser.random(), each))
            case _:
                yield from self._stream(f"events:{name}", some)

    def _stream(self, key: str, some: list[str]) -> Iterator[Command]:
        for at, each in enumerate(some, start=1_700_000_000_000):
            yield "XADD", key, f"{at}-0", "agent", each, "event", "done"
        yield "XGROUP", "CREATE", key, "readers", "0"
        yield "XREADGROUP", "GROUP", "readers", "one", "COUNT", 2, "STREAMS", key, ">"

    def huge(self) -> Iterator[Command]:
        """Four keys that are larger than any buffer."""
        for start in range(0, HUGE_FIELDS, _PIECE):
            numbers = range(start, start + _PIECE)
            yield "HSET", "huge:hash", *(part for n in numbers for part in (f"field:{n}", self._token(n)))
            if start < HUGE_SCORES:
                yield "ZADD", "huge:zset", *(part for n in numbers for part in (n * 0.37, f"member:{n}"))
            if start < HUGE_ELEMENTS:
                yield "RPUSH", "huge:list", *(f"element:{n}:{self._token(n)}" for n in numbers)
                yield "SADD", "huge:set", *(f"member:{n}" for n in numbers)

    def _token(self, number: int) -> str:
        return self.tokens[number % _VARIANTS]


def fill(port: int, keys: int, databases: list[int], *, huge: bool = True) -> None:
    """Write `keys` keys over the databases, and the huge ones into the last; raises on any refusal."""
    values = Values(keys)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        share = -(-keys // len(databases))
        for index, database in enumerate(databases):
            numbers = range(index * share, min(keys, (index + 1) * share))
            _send(connection, iter([("SELECT", database)]))
            _send(connection, _usual(values, numbers))
        if huge:
            _send(connection, values.huge())


def _usual(values: Values, numbers: range) -> Iterator[Command]:
    for number in numbers:
        commands = list(values.commands(number))
        yield from commands
        if number % 5 == 2:
            # From two hours to two days: nothing expires while a benchmark runs.
            yield "EXPIRE", commands[0][2 if commands[0][0] == "XREADGROUP" else 1], _HOUR * (2 + number % 47)


def _send(connection: socket.socket, commands: Iterator[Command]) -> None:
    replies = hiredis.Reader()
    batch: list[bytes] = []
    for command in commands:
        batch.append(hiredis.pack_command(command))
        if len(batch) == _BATCH:
            _exchange(connection, replies, batch)
    _exchange(connection, replies, batch)


def _exchange(connection: socket.socket, replies: hiredis.Reader, batch: list[bytes]) -> None:
    connection.sendall(b"".join(batch))
    left = len(batch)
    batch.clear()
    while left:
        replies.feed(connection.recv(1 << 20))
        while left and (reply := replies.gets()) is not False:
            if isinstance(reply, hiredis.ReplyError):
                raise reply
            left -= 1
