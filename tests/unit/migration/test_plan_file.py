"""Plans on disk: what goes in comes out, and damage is seen."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autobot_ops.migration.digest_spool import PARTITIONS, DigestSpool
from autobot_ops.migration.errors import InvalidPlanFile
from autobot_ops.migration.plan_file import (
    BLOCK_KEYS,
    DIGEST_MASK,
    NEVER,
    UNIT_KEYS,
    PlanFile,
    PlanWriter,
    expiry_second,
    unit_keys,
)

Planned = list[tuple[int, bytes, int, int | None]]
planned_keys = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.binary(max_size=40),
        st.integers(0, 2**128 - 1),
        st.none() | st.integers(1, 2**45),
    ),
    max_size=200,
)


def write(path: Path, keys: Planned) -> PlanFile:
    writer = PlanWriter(path)
    sections = [writer.section(number, number + 5) for number in range(3)]
    for section, key, digest, expires_at in keys:
        sections[section].add((key,), (digest,), (expires_at,))
    writer.finish({"some": "facts"})
    return PlanFile(path)


def test_plans_that_are_not_being_read_hold_no_file_open(tmp_path: Path) -> None:
    path = write(tmp_path / "plan", [(0, b"key", 1, None)]).path
    before = len(list(Path("/proc/self/fd").iterdir()))
    plans = [PlanFile(path) for _ in range(20)]
    for plan in plans:
        assert [list(block.names()) for block in plan.read()] == [[b"key"]]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@settings(deadline=None)  # files are written
@given(planned_keys)
def test_gives_back_every_key_by_section_and_in_order(keys: Planned) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plan = write(Path(folder) / "plan", keys)
        plan.check()
        found = [
            (block.place.section, *each)
            for block in plan.read()
            for each in zip(block.names(), block.digests, block.expiries, strict=True)
        ]
        plan.close()
    expected = sorted(keys, key=lambda each: each[0])
    assert found == [
        (section, key, digest & DIGEST_MASK, expiry_second(expires_at))
        for section, key, digest, expires_at in expected
    ]
    assert plan.keys == len(keys)
    assert plan.facts == {"some": "facts"}


def test_commands_are_what_a_server_reads(tmp_path: Path) -> None:
    plan = write(tmp_path / "plan", [(1, b"a\r\n\x00", 0, None)])
    (block,) = plan.read()
    assert block.units == [b"*3\r\n$4\r\nMOVE\r\n$4\r\na\r\n\x00\r\n$1\r\n6\r\n"]
    assert unit_keys(block.units[0]) == [b"a\r\n\x00"]


def test_positions_count_keys_in_the_order_of_moving(tmp_path: Path) -> None:
    count = BLOCK_KEYS * 2 + 7
    plan = write(tmp_path / "plan", [(number % 2, b"%d" % number, 1, None) for number in range(count)])
    half = BLOCK_KEYS + 4
    assert [place.position for place in plan.blocks] == [0, BLOCK_KEYS, half, half + BLOCK_KEYS]
    assert next(iter(plan.read(BLOCK_KEYS))).place.position == BLOCK_KEYS
    assert len(plan.read_block(plan.blocks[0]).units) == BLOCK_KEYS // UNIT_KEYS


def test_a_long_key_ends_its_block(tmp_path: Path) -> None:
    plan = write(tmp_path / "plan", [(0, b"x" * 5000, 1, None), (0, b"y", 1, None)])
    assert [place.keys for place in plan.blocks] == [1, 1]


@settings(deadline=None)
@given(st.data())
def test_every_flipped_bit_is_seen(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan"
        write(path, [(0, b"key %d" % number, number, None) for number in range(60)]).close()
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        with pytest.raises(InvalidPlanFile):
            PlanFile(path).check()


def test_an_unfinished_plan_has_no_name(tmp_path: Path) -> None:
    writer = PlanWriter(tmp_path / "plan")
    writer.section(0, 1).add((b"x",), (0,), (None,))
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_expiries_are_rounded_up_to_seconds() -> None:
    assert [expiry_second(each) for each in (None, 1, 1000, 1001, 2**60)] == [NEVER, 1, 1, 2, 0xFFFFFFFF]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 15), st.binary(max_size=8), st.integers(0, 2**128 - 1)), max_size=50)
)
def test_a_spool_gives_back_what_it_took(records: list[tuple[int, bytes, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spool = DigestSpool(Path(folder))
        for record in records * 40:
            spool.add(*record)
        found = [each for partition in range(PARTITIONS) for each in spool.partition(partition)]
        spool.close()
    expected = [((hash(key), database), digest & DIGEST_MASK) for database, key, digest in records * 40]
    assert sorted(found) == sorted(expected)
