"""The commands of an encrypted view, written once for threads, asyncio and both pipelines.

A command is its arguments with values sealed, and an opener that turns the server's reply into
values. What runs the two, at once, later or awaited, is the view's `_run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, NoReturn

import redis
from redis.exceptions import DataError

from src.errors import RuntimeFault
from src.utils.envelope import Place
from src.utils.value_sealer import ValueSealer

Reply = Any
"""What a command gives: the value itself, for asyncio an awaitable of it, in a pipeline the pipeline."""
Opener = Callable[[Any], Reply]
Name = str | bytes
Value = str | bytes | int | float

_WHOLE = "Get the whole value, change it here and set it again."
_COUNTER = (
    "Change the value inside transaction(), or keep a counter that may be seen under a key of its own "
    "with unencrypted()."
)
_MEMBER = "The server compares members: keep an index that may be seen with unencrypted()."
_BOUND = "A value is bound to its key: read it and write it under the other key."

# Why a command is refused, as the hint that goes with it.
_REFUSALS: Mapping[str, str] = {
    **dict.fromkeys(
        ("append", "setrange", "getrange", "substr", "strlen", "hstrlen", "lcs", "setbit", "getbit",
         "bitcount", "bitop", "bitpos", "bitfield", "bitfield_ro"), _WHOLE),
    **dict.fromkeys(
        ("incr", "incrby", "incrbyfloat", "decr", "decrby", "hincrby", "hincrbyfloat"), _COUNTER),
    **dict.fromkeys(
        ("sadd", "srem", "sismember", "smismember", "sinter", "sunion", "sdiff", "zadd", "zincrby", "zrem",
         "zscore", "zrank", "lrem", "lpos", "linsert", "sort", "sort_ro", "pfadd"), _MEMBER),
    **dict.fromkeys(
        ("rename", "renamenx", "copy", "move", "migrate", "dump", "restore", "lmove", "blmove", "rpoplpush",
         "brpoplpush", "smove"), _BOUND),
}  # fmt: skip
_ELSEWHERE = "Use get_connection() for what may be stored as it stands."


class CommandNotEncryptable(RuntimeFault, AttributeError):
    """A command that works on values inside the server, which sees only ciphertext."""


class EncryptedCommands:
    """Base of every view; `_run` is what makes the difference."""

    def __init__(self, sealer: ValueSealer, decode_responses: bool) -> None:
        self.sealer = sealer
        self.decode_responses = decode_responses

    def _run(self, arguments: tuple[Any, ...], opener: Opener) -> Reply:
        raise NotImplementedError

    def __getattr__(self, name: str) -> NoReturn:
        # Only reached for what isn't defined: redis-py's other commands, and mistakes.
        if not name.startswith("_") and hasattr(redis.Redis, name):
            raise CommandNotEncryptable(
                f"{name} can't work on encrypted values", hint=_REFUSALS.get(name, _ELSEWHERE)
            )
        raise AttributeError(f"'{type(self).__name__}' has no attribute '{name}'")

    # strings

    def get(self, name: Name) -> Reply:
        """The value, or None."""
        return self._run(("GET", name), self._one(self._string(name)))

    def set(
        self,
        name: Name,
        value: Value,
        ex: int | timedelta | None = None,
        px: int | timedelta | None = None,
        nx: bool = False,
        xx: bool = False,
    ) -> Reply:
        """Set it: True, or None if `nx` or `xx` forbade it. `ex` in seconds, `px` in milliseconds."""
        arguments: list[Any] = ["SET", name, self._seal(self._string(name), value)]
        if ex is not None:
            arguments += ["EX", int(ex.total_seconds()) if isinstance(ex, timedelta) else ex]
        if px is not None:
            arguments += ["PX", int(px.total_seconds() * 1000) if isinstance(px, timedelta) else px]
        arguments += ["NX"] * nx + ["XX"] * xx
        return self._run(tuple(arguments), _as_it_is)

    def mget(self, keys: Name | Iterable[Name], *args: Name) -> Reply:
        """Their values in order, None for what isn't there."""
        names = _names(keys, args)
        return self._run(("MGET", *names), self._each([self._string(name) for name in names]))

    def mset(self, mapping: Mapping[Any, Value]) -> Reply:
        """Set them all at once."""
        pairs = [
            part for name, value in mapping.items() for part in (name, self._seal(self._string(name), value))
        ]
        return self._run(("MSET", *pairs), _as_it_is)

    # hashes

    def hget(self, name: Name, key: Name) -> Reply:
        """The value of one field, or None."""
        return self._run(("HGET", name, key), self._one(self._field(name, key)))

    def hset(
        self,
        name: Name,
        key: Name | None = None,
        value: Value | None = None,
        mapping: Mapping[Any, Value] | None = None,
    ) -> Reply:
        """Set one field, or those of `mapping`, or both; how many of them are new."""
        items = dict(mapping or {})
        if key is not None:
            if value is None:
                raise DataError("hset with 'key' needs 'value'")
            items[key] = value
        if not items:
            raise DataError("hset needs at least one field and value")
        pairs = [
            part
            for field, each in items.items()
            for part in (field, self._seal(self._field(name, field), each))
        ]
        return self._run(("HSET", name, *pairs), _as_it_is)

    def hmget(self, name: Name, keys: Name | Iterable[Name], *args: Name) -> Reply:
        """Values of the fields in order, None for what isn't there."""
        fields = _names(keys, args)
        return self._run(("HMGET", name, *fields), self._each([self._field(name, field) for field in fields]))

    def hgetall(self, name: Name) -> Reply:
        """Every field with its value."""

        def opener(reply: Mapping[bytes, bytes]) -> dict[Any, Any]:
            return {
                self._text(field): self._open(self._field(name, field), stored)
                for field, stored in reply.items()
            }

        return self._run(("HGETALL", name), opener)

    def hdel(self, name: Name, *keys: Name) -> Reply:
        """Remove fields; how many there were."""
        return self._run(("HDEL", name, *keys), _as_it_is)

    def hexists(self, name: Name, key: Name) -> Reply:
        """Whether the field is there."""
        return self._run(("HEXISTS", name, key), _as_it_is)

    # lists

    def lpush(self, name: Name, *values: Value) -> Reply:
        """Put values in front; the new length."""
        return self._push("LPUSH", name, values)

    def rpush(self, name: Name, *values: Value) -> Reply:
        """Put values at the end; the new length."""
        return self._push("RPUSH", name, values)

    def lpop(self, name: Name) -> Reply:
        """Take the first value, or None."""
        return self._run(("LPOP", name), self._one(self._list(name)))

    def rpop(self, name: Name) -> Reply:
        """Take the last value, or None."""
        return self._run(("RPOP", name), self._one(self._list(name)))

    def lrange(self, name: Name, start: int, end: int) -> Reply:
        """Values from `start` to `end`, both included."""
        place = self._list(name)

        def opener(reply: Sequence[bytes]) -> list[Any]:
            return [self._open(place, stored) for stored in reply]

        return self._run(("LRANGE", name, start, end), opener)

    def lindex(self, name: Name, index: int) -> Reply:
        """The value at a position, or None."""
        return self._run(("LINDEX", name, index), self._one(self._list(name)))

    def ltrim(self, name: Name, start: int, end: int) -> Reply:
        """Keep the values from `start` to `end`."""
        return self._run(("LTRIM", name, start, end), _as_it_is)

    def llen(self, name: Name) -> Reply:
        """The length of a list."""
        return self._run(("LLEN", name), _as_it_is)

    # keys

    def expire(self, name: Name, time: int | timedelta) -> Reply:
        """Let a key live so many seconds from now; whether it is there."""
        seconds = int(time.total_seconds()) if isinstance(time, timedelta) else time
        return self._run(("EXPIRE", name, seconds), _as_it_is)

    def ttl(self, name: Name) -> Reply:
        """Seconds a key has left; -1 without an end, -2 without a key."""
        return self._run(("TTL", name), _as_it_is)

    def persist(self, name: Name) -> Reply:
        """Take the end of a key's life away; whether it had one."""
        return self._run(("PERSIST", name), _as_it_is)

    def delete(self, *names: Name) -> Reply:
        """Delete keys; how many there were."""
        return self._run(("DEL", *names), _as_it_is)

    def exists(self, *names: Name) -> Reply:
        """How many of the keys are there."""
        return self._run(("EXISTS", *names), _as_it_is)

    def unencrypted(self, *arguments: str | bytes | int | float) -> Reply:
        """Any command as it stands: its values go to the server in the clear.

        For what the server must see, such as an index by time: `unencrypted("ZADD", key, 1.5, "id")`.
        """
        return self._run(arguments, self._plain)

    # places, values and replies

    def _string(self, name: Name) -> Place:
        return Place(self.sealer.database, "string", _bytes(name))

    def _field(self, name: Name, field: Name) -> Place:
        return Place(self.sealer.database, "hash", _bytes(name), _bytes(field))

    def _list(self, name: Name) -> Place:
        return Place(self.sealer.database, "list", _bytes(name))

    def _push(self, command: Literal["LPUSH", "RPUSH"], name: Name, values: Sequence[Value]) -> Reply:
        place = self._list(name)
        return self._run((command, name, *(self._seal(place, value) for value in values)), _as_it_is)

    def _seal(self, place: Place, value: Value) -> bytes:
        return self.sealer.seal(place, _bytes(value))

    def _open(self, place: Place, stored: bytes | None) -> Reply:
        return None if stored is None else self._text(self.sealer.open(place, stored))

    def _one(self, place: Place) -> Opener:
        return lambda reply: self._open(place, reply)

    def _each(self, places: Sequence[Place]) -> Opener:
        return lambda reply: [self._open(place, stored) for place, stored in zip(places, reply, strict=True)]

    def _text(self, value: bytes) -> str | bytes:
        return value.decode() if self.decode_responses else value

    def _plain(self, reply: Reply) -> Reply:
        if isinstance(reply, bytes):
            return self._text(reply)
        if isinstance(reply, list | tuple | set):
            return type(reply)(self._plain(each) for each in reply)
        if isinstance(reply, dict):
            return {self._plain(key): self._plain(value) for key, value in reply.items()}
        return reply


def _as_it_is(reply: Reply) -> Reply:
    return reply


def _names(first: Name | Iterable[Name], more: Iterable[Name]) -> list[Name]:
    return [first, *more] if isinstance(first, str | bytes) else [*first, *more]


def _bytes(value: Value) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value).encode()
    raise DataError(f"a value must be text, bytes or a number, not {type(value).__name__}")
