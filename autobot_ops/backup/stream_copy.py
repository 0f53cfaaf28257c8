"""From one RDB stream to a file for each wanted database, with all that the manifest says of it.

Knows neither tiers nor files nor sealing: whatever has `write` is an output. No printing, no retry.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from autobot_ops.rdb.fingerprint import Fingerprint
from autobot_ops.rdb.splitter import Output, Splitter
from autobot_ops.rdb.summary import Summary
from autobot_ops.rdb.window import CHUNK_BYTES, Source

Progress = Callable[[int, int], object]
"""Called with what has gone by so far: bytes of the stream, and keys."""


@dataclass(frozen=True)
class CopiedDatabase:
    """One database as it was written. `bytes` is the size of its plain RDB file.

    `copy_stream` gives no fingerprint: it costs twice what the copy does, and the server would copy pages
    all the longer. It is taken from the written file. Who looks at every key anyway gives it here.
    """

    number: int
    keys: int = 0
    keys_with_expiry: int = 0
    bytes: int = 0
    fingerprint: Fingerprint | None = None


@dataclass(frozen=True)
class CopiedStream:
    """What one stream gave.

    `header` is that of the stream and of every file (`REDIS0010`), `fields` its auxiliary fields
    (`redis-ver`, `ctime` in seconds, …), `began_at` milliseconds. `databases` are the wanted ones, by
    number, the empty ones too; `unwanted` says how many keys there were in others. `instance_bytes` is None
    where the stream has nothing that belongs to the whole instance, or nobody wanted it.
    """

    header: str
    fields: Mapping[str, str]
    began_at: int
    bytes: int
    databases: Mapping[int, CopiedDatabase]
    unwanted: Mapping[int, int]
    instance_bytes: int | None


def copy_stream(
    source: Source,
    wanted: Collection[int],
    open_database: Callable[[int], Output],
    open_instance: Callable[[], Output] | None = None,
    *,
    progress: Progress | None = None,
    chunk_bytes: int = CHUNK_BYTES,
) -> CopiedStream:
    """Read `source` to its end and write a standard RDB file for each wanted database number.

    An output is opened when its database begins, an empty database's at the end, the instance's (function
    libraries, modules' fields) when the first of its records comes. They stay their opener's to finish or
    abort: *only* when this has returned is any of them complete. Until then none has its end mark and no
    server loads it.

    Raises what the source raises (StreamEndedEarly, StreamUnavailable), DamagedRdb where the bytes aren't
    what a server wrote, UnsupportedRdb where they are beyond this library, and what an output raises.
    """
    watched = _Watched(source, progress)
    splitter = Splitter(
        watched,
        lambda number: open_database(number) if number in wanted else None,
        open_instance,
        chunk_bytes=chunk_bytes,
    )
    watched.splitter = splitter
    splitter.run()
    summaries = splitter.summaries
    for number in sorted(set(wanted) - set(splitter.writers)):
        splitter.add_empty(number, open_database(number))
    databases = {}
    for number in sorted(wanted):
        found = summaries.get(number, Summary())
        size = splitter.writers[number].size
        databases[number] = CopiedDatabase(number, found.keys, found.keys_with_expiry, size)
    reader = splitter.reader
    return CopiedStream(
        header=reader.header.decode("ascii"),
        fields={_text(name): _text(value) for name, value in reader.fields.items()},
        began_at=reader.began_at,
        bytes=watched.bytes,
        databases=databases,
        unwanted={number: found.keys for number, found in sorted(summaries.items()) if number not in wanted},
        instance_bytes=splitter.instance_writer.size if splitter.instance_writer else None,
    )


class _Watched:
    """A source that reports how far it has been read."""

    def __init__(self, source: Source, progress: Progress | None) -> None:
        self._source = source
        self._progress = progress
        self.bytes = 0
        self.splitter: Splitter | None = None

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self.bytes += len(data)
        if self._progress is not None and self.splitter is not None:
            self._progress(self.bytes, sum(each.keys for each in self.splitter.summaries.values()))
        return data


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
