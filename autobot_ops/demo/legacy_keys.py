"""The keys of an old installation: everything in database 0, under the original application's names. Pure.

Deterministic: the same number of keys gives the same names and values; expiries count from the given
moment. One key in five expires, all types occur, streams have groups with pending entries.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator

Command = tuple[str | bytes | int | float, ...]
Builder = Callable[[random.Random, str], Iterator[Command]]

SEED = 20_260_101
EXPIRING_SHARE = 0.2
LONGEST_LIFE = 30 * 86_400
COUNTER = "fact_id_counter"
"""The highest number of a fact. Today's knowledge agent has it under the same name, as it has its facts."""

BATCH = 500
"""Elements of a huge key that one command carries."""

_WORDS = (
    "redis", "agent", "memory", "vector", "session", "prompt", "model", "index", "search", "token",
    "cache", "graph", "query", "answer", "context", "document", "fact", "chunk", "score", "user",
)  # fmt: skip


def _text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(_WORDS, k=words))


def _string(chance: random.Random, key: str) -> Iterator[Command]:
    yield "SET", key, _text(chance, chance.randint(2, 12))


def _counter(chance: random.Random, key: str) -> Iterator[Command]:
    yield "SET", key, chance.randrange(1_000_000)


def _document(chance: random.Random, key: str) -> Iterator[Command]:
    yield "SET", key, json.dumps({"title": _text(chance, 3), "body": _text(chance, 40)})


def _embedding(chance: random.Random, key: str) -> Iterator[Command]:
    yield "SET", key, chance.randbytes(256)


def _record(chance: random.Random, key: str) -> Iterator[Command]:
    fields = ("content", _text(chance, 8), "source", _text(chance, 1), "score", chance.random(), "seen", 1)
    yield "HSET", key, *fields


def _list(chance: random.Random, key: str) -> Iterator[Command]:
    yield "RPUSH", key, *(_text(chance, 4) for _ in range(chance.randint(1, 12)))


def _set(chance: random.Random, key: str) -> Iterator[Command]:
    yield "SADD", key, *(f"fact:{chance.randrange(10_000)}" for _ in range(chance.randint(1, 12)))


def _numbers(chance: random.Random, key: str) -> Iterator[Command]:
    yield "SADD", key, *(chance.randrange(10_000) for _ in range(8))


def _scores(chance: random.Random, key: str) -> Iterator[Command]:
    pairs = [(chance.uniform(0, 1e9), f"event-{number}") for number in range(chance.randint(1, 12))]
    yield "ZADD", key, *(part for pair in pairs for part in pair)


def _stream(chance: random.Random, key: str) -> Iterator[Command]:
    """Two groups; one of them has read and not acknowledged."""
    for number in range(1, chance.randint(3, 8)):
        yield "XADD", key, f"{number}-1", "role", chance.choice(("user", "agent")), "text", _text(chance, 6)
    yield "XGROUP", "CREATE", key, "readers", "0"
    yield "XGROUP", "CREATE", key, "late", "$"
    yield "XREADGROUP", "GROUP", "readers", "first", "COUNT", 2, "STREAMS", key, ">"


# What the original application wrote, and how often of a hundred keys.
_KINDS: tuple[tuple[int, str, Builder], ...] = (
    (12, "fact:{}", _record),
    (6, "atomic_fact:{}", _record),
    (3, "facts_by_category:{}", _set),
    (3, "kb:{}", _document),
    (5, "doc:{}", _document),
    (8, "llama_index/vector_{}", _embedding),
    (4, "autobot:code:index:{}", _record),
    (6, "session:{}", _string),
    (4, "autobot:chat_history:{}", _list),
    (3, "chat:{}", _stream),
    (3, "auth:{}", _string),
    (3, "autobot:workflow:{}", _record),
    (2, "autobot_tasks:{}", _scores),
    (2, "autobot:agent_comm:{}", _stream),
    (2, "autobot:orchestrator:{}", _string),
    (5, "autobot:errors:{}", _string),
    (2, "autobot:classification:log:{}", _list),
    (2, "autobot:sandbox:security:events:{}", _scores),
    (4, "autobot:sandbox:metrics:{}", _counter),
    (2, "worker-{}:stats", _numbers),
    (3, "prompt:{}", _document),
    (1, "autobot:prompts:{}", _string),
    (1, "autobot:models:{}", _record),
    (1, "model:{}", _string),
    (7, "autobot:cache:{}", _string),
    (5, "cache:{}", _string),
    (1, "experiment/{}", _string),
)
_ONCE: tuple[tuple[str, Builder], ...] = (
    (COUNTER, _counter),
    ("entity_mappings", _record),
    ("ping", _string),
)
"""The last is what an old health check left."""

_HUGE: tuple[tuple[str, str, int, Callable[[int], Command]], ...] = (
    ("autobot:code:index:all", "HSET", 1_000_000, lambda number: (f"path/{number}", number)),
    (
        "autobot:sandbox:security:events:all",
        "ZADD",
        500_000,
        lambda number: (number * 1.5, f"event-{number}"),
    ),
    ("autobot:chat_history:archive", "RPUSH", 300_000, lambda number: (f"message {number}",)),
    ("facts_by_category:all", "SADD", 300_000, lambda number: (f"fact:{number}",)),
)


def legacy_commands(keys: int, *, now: int, big: bool = False, replace: bool = False) -> Iterator[Command]:
    """Commands that write `keys` keys, and four huge ones besides if `big`; `now` is in milliseconds.

    No command reads; on an empty database 0 all of them succeed in this order. With `replace` they do on
    any, because each key is deleted before it is written: an entry of a stream can't be added twice.
    """
    chance = random.Random(SEED)  # noqa: S311 - shall be the same every time
    weights = [weight for weight, _, _ in _KINDS]
    for number in range(keys):
        if number < len(_ONCE):
            key, build = _ONCE[number]
        else:
            _, pattern, build = chance.choices(_KINDS, weights)[0]
            key = pattern.format(number)
        if replace:
            yield "UNLINK", key
        yield from build(chance, key)
        if chance.random() < EXPIRING_SHARE and number >= len(_ONCE):
            yield "PEXPIREAT", key, now + chance.randint(3_600, LONGEST_LIFE) * 1000
    if big:
        yield from _huge_keys(replace=replace)


def first_counter() -> int:
    """The value of COUNTER among the keys."""
    return next(int(command[2]) for command in legacy_commands(len(_ONCE), now=0) if command[1] == COUNTER)


def _huge_keys(*, replace: bool) -> Iterator[Command]:
    for key, command, elements, element in _HUGE:
        if replace:
            yield "UNLINK", key
        for start in range(0, elements, BATCH):
            numbers = range(start, min(start + BATCH, elements))
            yield command, key, *(part for number in numbers for part in element(number))
