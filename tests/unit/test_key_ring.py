"""The ring of data keys: what the operator writes is what the agents read, and nothing else is read."""

from __future__ import annotations

import base64
import logging
import os
from pathlib import Path

import pytest

from autobot_ops.isolation.data_keys import new_key_ring, new_key_ring_line, rotate_key_ring
from src.utils.key_ring import (
    KeyRingFile,
    KeyRingInvalid,
    KeyRingMissing,
    UnknownDataKey,
    key_identifier,
    parse_key_ring,
)

KEY = bytes(range(32))


def test_reads_what_the_operator_made() -> None:
    ring = parse_key_ring(new_key_ring_line(KEY))
    assert ring.writing.identifier == key_identifier(KEY)


def test_writes_with_the_newest_key_and_reads_with_all() -> None:
    former = new_key_ring()
    ring = parse_key_ring(rotate_key_ring(former))
    assert len(ring.keys) == 2
    assert ring.writing.identifier != parse_key_ring(former).writing.identifier
    assert parse_key_ring(former).writing.identifier in ring.keys


def test_skips_comments_and_blank_lines() -> None:
    assert len(parse_key_ring(f"# made today\n\n  {new_key_ring_line()}  \r\n").keys) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: line[:-6],
        lambda line: line.replace(":", " "),
        lambda line: "000000000000" + line[12:],
        lambda line: line[:13] + base64.b64encode(b"\1" * 32).decode(),
        lambda line: line[:13] + base64.b64encode(b"\1" * 16).decode(),
        lambda line: line[:20] + "!" + line[21:],
        lambda line: "a whole sentence instead of a key",
    ],
)
def test_refuses_a_line_that_is_not_a_whole_key_and_shows_nothing_of_it(spoil: object) -> None:
    assert callable(spoil)
    line = spoil(new_key_ring_line(KEY))
    with pytest.raises(KeyRingInvalid, match="line 2") as caught:
        parse_key_ring(f"# first\n{line}\n")
    assert line[13:25] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_refuses_a_ring_without_keys_and_a_repeated_key() -> None:
    with pytest.raises(KeyRingInvalid, match="holds no key"):
        parse_key_ring("# nothing\n")
    with pytest.raises(KeyRingInvalid, match="repeats"):
        parse_key_ring(f"{new_key_ring_line(KEY)}\n{new_key_ring_line(KEY)}\n")


def test_names_the_command_that_makes_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(KeyRingMissing, match=r"inv config\.init"):
        KeyRingFile(tmp_path / "data_keys").ring()


def test_sees_a_rotation_without_being_told(tmp_path: Path) -> None:
    path = tmp_path / "data_keys"
    path.write_text(new_key_ring())
    file = KeyRingFile(path)
    before = file.ring().writing
    path.write_text(rotate_key_ring(path.read_text()))
    assert file.ring().writing != before
    assert file.key(before.identifier) == before


def test_finds_a_key_whose_rotation_left_time_and_size_of_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "data_keys"
    path.write_text(new_key_ring_line(KEY))
    file = KeyRingFile(path)
    file.ring()
    status = path.stat()
    other = bytes(32)
    path.write_text(new_key_ring_line(other))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.ring().writing.identifier == key_identifier(KEY)
    assert file.key(key_identifier(other)).identifier == key_identifier(other)


def test_keeps_the_known_keys_when_the_file_is_spoilt_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "data_keys"
    path.write_text(new_key_ring_line(KEY))
    file = KeyRingFile(path)
    ring = file.ring()
    with caplog.at_level(logging.ERROR):
        path.write_text("half a li")
        assert file.ring() is ring
        assert file.ring() is ring
        assert len(caplog.records) == 1
        path.unlink()
        assert file.ring() is ring
        assert file.ring() is ring
    assert len(caplog.records) == 2


def test_refuses_an_unknown_key_with_its_id(tmp_path: Path) -> None:
    path = tmp_path / "data_keys"
    path.write_text(new_key_ring())
    with pytest.raises(UnknownDataKey, match="0123456789ab"):
        KeyRingFile(path).key("0123456789ab")
