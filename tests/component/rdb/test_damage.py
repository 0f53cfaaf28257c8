"""Damage to what real servers wrote: always seen, nothing kept, and never a value for another."""

from __future__ import annotations

import random
from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest

from autobot_ops.rdb.errors import ChecksumMismatch, DamagedRdb, UnsupportedRdb
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.splitter import Splitter
from tests.component.rdb.conftest import StartServer
from tests.component.rdb.contents import fingerprints
from tests.component.rdb.data_server import Engine
from tests.component.rdb.keys import fill


@pytest.fixture
def dump(engine: Engine, start_server: StartServer) -> bytes:
    """A file that the engine wrote."""
    server = start_server(engine=engine)
    fill(server, keys=60, odd=False)
    return server.save().read_bytes()


def assert_nothing_comes_of(data: bytes) -> str:
    outputs: dict[int, BytesIO] = {}
    splitter = Splitter(BytesIO(data), lambda number: outputs.setdefault(number, BytesIO()))
    with pytest.raises((DamagedRdb, UnsupportedRdb)) as caught:
        splitter.run()
    for output in outputs.values():
        with pytest.raises((DamagedRdb, UnsupportedRdb)):
            list(Reader(BytesIO(output.getvalue())))
    return type(caught.value).__name__


def test_three_hundred_flipped_bits_are_all_seen(dump: bytes) -> None:
    chooser = random.Random(11)
    found: Counter[str] = Counter()
    for _ in range(300):
        place, bit = chooser.randrange(len(dump)), chooser.randrange(8)
        damaged = bytearray(dump)
        damaged[place] ^= 1 << bit
        found[assert_nothing_comes_of(bytes(damaged))] += 1
    assert found.total() == 300
    # Most of them hit data, where only the checksum can see them.
    assert found[ChecksumMismatch.__name__] > 150


def test_a_flipped_bit_in_every_kind_of_byte_is_seen(dump: bytes) -> None:
    # The header, the fields, the first selection and entries, byte by byte; and the end.
    for place in [*range(400), *range(len(dump) - 60, len(dump))]:
        damaged = bytearray(dump)
        damaged[place] ^= 0x40
        assert_nothing_comes_of(bytes(damaged))


def test_a_file_cut_off_at_a_hundred_random_places_is_refused(dump: bytes) -> None:
    chooser = random.Random(12)
    for _ in range(100):
        assert_nothing_comes_of(dump[: chooser.randrange(len(dump))])


def test_fingerprints_of_damaged_files_end_in_an_error_by_name(dump: bytes) -> None:
    chooser = random.Random(13)
    for _ in range(60):
        damaged = bytearray(dump)
        damaged[chooser.randrange(len(dump))] ^= 1 << chooser.randrange(8)
        with pytest.raises((DamagedRdb, UnsupportedRdb)):
            fingerprints(BytesIO(bytes(damaged)))


def test_the_engine_refuses_what_we_leave_after_damage(engine: Engine, dump: bytes, tmp_path: Path) -> None:
    file = tmp_path / "part.rdb"
    with file.open("wb") as output, pytest.raises((DamagedRdb, UnsupportedRdb)):
        Splitter(BytesIO(dump[: len(dump) // 2]), lambda number: output if number == 0 else None).run()
    assert file.stat().st_size > 1000
    with pytest.raises(AssertionError):
        engine.check(file)
