"""Faults while a stream is taken, with real servers: each is refused by its name, and nothing is whole."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

import pytest

from autobot_ops.backup.stream_copy import CopiedStream, copy_stream
from autobot_ops.rdb import stream as stream_module
from autobot_ops.rdb.errors import DamagedRdb, StreamEndedEarly, UnsupportedRdb
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.window import Source
from tests.component.rdb.conftest import StartServer
from tests.component.rdb.contents import fingerprints
from tests.component.rdb.data_server import DataServer
from tests.component.rdb.keys import DATABASES, fill
from tests.component.rdb.test_stream import PATIENCE, SLOWLY, kill_child
from tests.waiting import wait_until

EMPTY = 9
"""A wanted database that has no keys."""
BALLAST = 12
"""A database behind the wanted ones."""


class Outputs:
    """Files in memory, by database number; the instance's is -1."""

    def __init__(self) -> None:
        self.by_number: dict[int, BytesIO] = {}

    def open(self, number: int) -> BytesIO:
        return self.by_number.setdefault(number, BytesIO())

    def take(self, source: Source, progress: Callable[[int, int], object] | None = None) -> CopiedStream:
        wanted = (*DATABASES, EMPTY)
        return copy_stream(
            source, wanted, self.open, lambda: self.open(-1), progress=progress, chunk_bytes=4096
        )

    def assert_nothing_is_whole(self) -> None:
        assert EMPTY not in self.by_number
        for output in self.by_number.values():
            with pytest.raises((DamagedRdb, UnsupportedRdb)):
                list(Reader(BytesIO(output.getvalue())))


# --- the server's side --------------------------------------------------------------------------------


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_an_undisturbed_stream_is_whole(start_server: StartServer, diskless: str) -> None:
    server = start_server("--repl-diskless-sync", diskless)
    fill(server, keys=100)
    outputs = Outputs()
    with server.stream() as stream:
        copied = outputs.take(stream)
    for number in DATABASES:
        (found,) = fingerprints(BytesIO(outputs.by_number[number].getvalue())).items()
        assert (found[0], found[1].keys) == (number, copied.databases[number].keys)
    assert fingerprints(BytesIO(outputs.by_number[EMPTY].getvalue())) == {}


def add_ballast(server: DataServer) -> None:
    """More behind all keys than sockets hold: the end can't be under way before a slow reader gets there."""
    with server.client(BALLAST) as client:
        for number in range(24):
            client.set(f"ballast {number}", os.urandom(1_000_000))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
@pytest.mark.parametrize(
    ("happens", "says"),
    [
        pytest.param(kill_child, "cut the stream off", id="child killed"),
        pytest.param(DataServer.kill, "went away", id="server killed"),
        pytest.param(lambda server: server.command("FLUSHALL"), "cut the stream off", id="flushall"),
    ],
)
def test_whatever_ends_the_stream_early_is_named(
    start_server: StartServer, happens: Callable[[DataServer], object], says: str, share: float
) -> None:
    server = start_server(*SLOWLY)
    fill(server, keys=700, odd=False)
    keys = sum(server.command("DBSIZE", number=number) for number in DATABASES)
    add_ballast(server)
    happened = False

    def disturb(_: int, seen: int) -> None:
        nonlocal happened
        if not happened and seen >= share * keys:
            happened = True
            happens(server)

    outputs = Outputs()
    with server.stream() as stream, pytest.raises(StreamEndedEarly, match=says) as caught:
        outputs.take(stream, disturb)
    assert happened
    assert "Nothing was kept" in caught.value.hint
    outputs.assert_nothing_is_whole()


def test_a_reader_too_slow_for_the_output_buffer_is_cut_off(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As with a server before 6.2, which doesn't know `rdb-only`: what is written meanwhile piles up for us.
    monkeypatch.setattr(stream_module, "_ANNOUNCEMENTS", (("capa", "eof"),))
    server = start_server("--client-output-buffer-limit", "replica", "1mb", "1mb", "1")
    with server.client() as client:
        for number in range(40):
            client.set(f"key {number}", os.urandom(500_000))
        outputs = Outputs()
        with server.stream() as stream:
            for _ in range(30):
                client.set("written meanwhile", os.urandom(200_000))
            wait_until(
                lambda: "overcoming of output buffer limits" in server.log(),
                "the server cuts it off",
                PATIENCE,
            )
            with pytest.raises(StreamEndedEarly, match="cut the stream off") as caught:
                outputs.take(stream)
    assert "client-output-buffer-limit" in caught.value.hint
    outputs.assert_nothing_is_whole()


def test_writes_meanwhile_do_not_pile_up_for_a_slow_reader(start_server: StartServer) -> None:
    server = start_server("--client-output-buffer-limit", "replica", "1mb", "1mb", "1")
    with server.client() as client:
        for number in range(40):
            client.set(f"key {number}", os.urandom(500_000))
        with server.stream() as stream:
            for _ in range(30):
                client.set("written meanwhile", os.urandom(200_000))
            assert Outputs().take(stream).databases[0].keys == 40
    assert "output buffer limits" not in server.log()


def test_the_next_stream_after_a_fault_is_whole(start_server: StartServer) -> None:
    server = start_server(*SLOWLY)
    fill(server, keys=100, odd=False)
    with server.stream() as stream:
        kill_child(server)
        with pytest.raises(StreamEndedEarly):
            Outputs().take(stream)
    with server.stream() as stream:
        copied = Outputs().take(stream)
    assert copied.databases[1].keys == server.command("DBSIZE", number=1)


# --- the bytes ----------------------------------------------------------------------------------------


class Place(NamedTuple):
    """A stretch of bytes of one class."""

    name: str
    start: int
    end: int


@pytest.fixture
def dump(start_server: StartServer) -> bytes:
    """A whole file of the system's server."""
    server = start_server()
    fill(server, keys=60, odd=False)
    return server.save().read_bytes()


def places(data: bytes) -> list[Place]:
    """Where the classes of bytes are, from the entries that the reader sees."""
    found = [
        Place("magic", 0, 5),
        Place("version", 5, 9),
        Place("end mark", len(data) - 9, len(data) - 8),
        Place("checksum", len(data) - 8, len(data)),
    ]
    selection = data.index(b"\xfe\x01\xfb")
    found += [
        Place("select opcode", selection, selection + 1),
        Place("database number", selection + 1, selection + 2),
        Place("resize hint", selection + 2, selection + 4),
    ]
    for entry in Reader(BytesIO(data)):
        start = entry.offset
        if entry.expires_at is not None:
            found += [Place("expiry opcode", start, start + 1), Place("expiry", start + 1, start + 9)]
            start += 9
        value = entry.value
        assert value is not None
        value_at = data.index(value, start)
        if 0 < data[start + 1] < 0x40:
            key_at = start + 2
            found += [
                Place("value type", start, start + 1),
                Place("length of a key", start + 1, key_at),
                Place("key", key_at, key_at + data[start + 1]),
            ]
        found += [
            Place("length of a value", value_at, value_at + 1),
            Place("value", value_at + 1, value_at + len(value)),
        ]
    return found


def refusal_of(data: bytes) -> str:
    outputs = Outputs()
    with pytest.raises((DamagedRdb, UnsupportedRdb)) as caught:
        outputs.take(BytesIO(data))
    outputs.assert_nothing_is_whole()
    return type(caught.value).__name__


def flipped(data: bytes, place: int, bit: int) -> bytes:
    damaged = bytearray(data)
    damaged[place] ^= 1 << bit
    return bytes(damaged)


def test_three_hundred_random_flips_are_refused_by_name(dump: bytes) -> None:
    chooser = random.Random(21)
    names = Counter(
        refusal_of(flipped(dump, chooser.randrange(len(dump)), chooser.randrange(8))) for _ in range(300)
    )
    assert names.total() == 300


def test_a_flip_in_each_class_of_byte_is_refused_by_name(dump: bytes) -> None:
    chooser = random.Random(22)
    by_class: dict[str, list[Place]] = {}
    for each in places(dump):
        by_class.setdefault(each.name, []).append(each)
    assert len(by_class) == 14
    for name, stretches in by_class.items():
        for _ in range(6):
            stretch = chooser.choice(stretches)
            place = chooser.randrange(stretch.start, stretch.end)
            assert refusal_of(flipped(dump, place, chooser.randrange(8))), name


def test_truncation_at_a_hundred_random_lengths_is_refused_by_name(dump: bytes) -> None:
    chooser = random.Random(23)
    lengths = [*(chooser.randrange(len(dump)) for _ in range(100)), 0, 8, 9, len(dump) - 8, len(dump) - 1]
    for length in lengths:
        refusal_of(dump[:length])
