"""Replies of read commands, kept until their key changes or they grow old. Pure but for the clock."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

Command = tuple[Any, ...]
"""A read command whose second part is its only key: `("HGET", "fact:1", "text")`."""

MISS: Final = object()
MAX_ENTRIES = 10_000
MAX_BYTES = 32 * 1024 * 1024
# Every change is announced but one: after SWAPDB, which a restore uses, nothing comes. This is how
# long a reader may then see the former content.
MAX_AGE_SECONDS = 60.0

_ENTRY_BYTES = 200


@dataclass(slots=True)
class CacheStatistics:
    """Reads answered from here and not, entries forgotten because of a change or for room."""

    hits: int = 0
    misses: int = 0
    invalidated: int = 0
    evicted: int = 0


@dataclass(frozen=True, slots=True)
class _Entry:
    value: Any
    size: int
    good_until: float


class ReadCache:
    """Bounded by entries, bytes (as estimated) and age; the one least recently used goes first."""

    def __init__(
        self,
        *,
        max_entries: int = MAX_ENTRIES,
        max_bytes: int = MAX_BYTES,
        max_age: float = MAX_AGE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._clock = clock
        self._entries: OrderedDict[Command, _Entry] = OrderedDict()
        self._commands: dict[bytes, set[Command]] = {}
        self.bytes = 0
        self.statistics = CacheStatistics()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, command: Command) -> Any:
        """The reply, or `MISS`. Lists and dictionaries are copies: what a caller does to one is its own."""
        entry = self._entries.get(command)
        if entry is None or entry.good_until < self._clock():
            self.statistics.misses += 1
            return MISS
        self._entries.move_to_end(command)
        self.statistics.hits += 1
        value = entry.value
        return value.copy() if isinstance(value, list | dict | set) else value

    def put(self, command: Command, value: Any, max_age: float | None = None) -> None:
        """Keep a reply. One that alone would take an eighth of the room isn't kept."""
        self._drop(command)
        size = _ENTRY_BYTES + _size(value)
        if size * 8 > self._max_bytes:
            return
        copied = value.copy() if isinstance(value, list | dict | set) else value
        self._entries[command] = _Entry(
            copied, size, self._clock() + (self._max_age if max_age is None else max_age)
        )
        self._commands.setdefault(key_bytes(command[1]), set()).add(command)
        self.bytes += size
        while len(self._entries) > self._max_entries or self.bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))
            self.statistics.evicted += 1

    def forget(self, keys: Iterable[str | bytes] | None) -> None:
        """Drop every reply about these keys; None means all, as after a FLUSHDB or a lost connection."""
        if keys is None:
            self.statistics.invalidated += len(self._entries)
            self._entries.clear()
            self._commands.clear()
            self.bytes = 0
            return
        for key in keys:
            for command in tuple(self._commands.get(key_bytes(key), ())):
                self._drop(command)
                self.statistics.invalidated += 1

    def _drop(self, command: Command) -> None:
        entry = self._entries.pop(command, None)
        if entry is None:
            return
        self.bytes -= entry.size
        key = key_bytes(command[1])
        commands = self._commands[key]
        commands.discard(command)
        if not commands:
            del self._commands[key]


def key_bytes(key: str | bytes) -> bytes:
    """A key as the server has it."""
    return key.encode() if isinstance(key, str) else bytes(key)


def _size(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(_size(key) + _size(each) + 100 for key, each in value.items())
    if isinstance(value, list | set | tuple):
        return sum(_size(each) + 50 for each in value)
    return 8
