"""The plan on disk: every key that is to move, as the command that moves it.

    magic · blocks · index and facts (zstd) · footer

A block holds up to 4,000 keys of one section in the stream's order, as a zstd frame with its checksum: for
each key 8 bytes of its fingerprint and 4 of its expiry, then the MOVE commands, as the server takes them.
So moving is copying from file to socket, and names are safe whatever is in them. Commands are cut into
units of 25, which windows are made of. The index has the blocks in the order in which they move: one
section after the other. A *position* is a number of keys in that order.

The file is complete when its footer is there: it is written under another name, synced and renamed.
"""

from __future__ import annotations

import json
import os
import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import hiredis
import xxhash
import zstandard

from autobot_ops.migration.errors import InvalidPlanFile, JournalFailed

MAGIC = b"AutoBot moves 1\n"
UNIT_KEYS = 25
BLOCK_KEYS = 4000
LONG_KEY = 1024
"""A block ends with a longer key, so that a block's size is bounded."""

DIGEST_MASK = (1 << 63) - 1
NEVER = 0
_LAST_SECOND = 0xFFFFFFFF

_BLOCK = struct.Struct("<III")
"""Keys, bytes of the commands, bytes of the frame."""
_FOOTER = struct.Struct("<QQ16s16s")
"""Where index and facts begin, their size, the digest of all before the footer, the magic."""


@dataclass(frozen=True)
class BlockPlace:
    """Where a block stands in the file, and in the order of moving."""

    section: int
    offset: int
    position: int
    keys: int


@dataclass(frozen=True)
class Block:
    """Keys of one section. `units` are runs of commands; of the others there is one for each key."""

    place: BlockPlace
    units: Sequence[bytes]
    digests: array[int]
    expiries: array[int]

    def names(self) -> Iterator[bytes]:
        """The names, in order."""
        for unit in self.units:
            yield from unit_keys(unit)


def unit_keys(commands: bytes) -> list[bytes]:
    """The names in a run of commands."""
    reader = hiredis.Reader()
    reader.feed(commands)
    names = []
    while (command := reader.gets()) is not False:
        names.append(command[1])
    return names


def expiry_second(expires_at: int | None) -> int:
    """An expiry in milliseconds as the plan keeps it: the second by which the key is gone, or NEVER."""
    return NEVER if expires_at is None else min(max(1, -(-expires_at // 1000)), _LAST_SECOND)


class SectionWriter:
    """Takes the keys of one section. What is held is at most a block."""

    def __init__(self, plan: PlanWriter, section: int, database_number: int) -> None:
        self._plan = plan
        self._section = section
        digits = b"%d" % database_number
        self._end = b"$%d\r\n%d\r\n" % (len(digits), database_number)
        self._commands: list[bytes] = []
        self._digests = array("q")
        self._expiries = array("I")

    def add(self, keys: Sequence[bytes], digests: Iterable[int], expiries: Iterable[int | None]) -> None:
        """Plan to move keys. The digests are those of KeyDigests (0 where they aren't known)."""
        if len(self._commands) + len(keys) > BLOCK_KEYS or max(map(len, keys)) > LONG_KEY:
            for key, digest, expires_at in zip(keys, digests, expiries, strict=True):
                self._extend((key,), (digest,), (expires_at,))
                if len(key) > LONG_KEY:
                    self.flush()
            return
        self._extend(keys, digests, expiries)

    def _extend(self, keys: Iterable[bytes], digests: Iterable[int], expiries: Iterable[int | None]) -> None:
        end = self._end
        self._commands += [b"*3\r\n$4\r\nMOVE\r\n$%d\r\n%b\r\n%b" % (len(key), key, end) for key in keys]
        self._digests.extend([digest & DIGEST_MASK for digest in digests])
        self._expiries.extend([NEVER if each is None else expiry_second(each) for each in expiries])
        if len(self._commands) == BLOCK_KEYS:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if self._commands:
            self._plan.write_block(self._section, self._commands, self._digests, self._expiries)
            self._commands.clear()
            self._digests, self._expiries = array("q"), array("I")


class PlanWriter:
    """A plan in the making; JournalFailed where the disk doesn't take it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = path.with_name(path.name + ".partial")
        self._compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)
        self._digest = xxhash.xxh3_128()
        self._size = 0
        self._blocks: list[tuple[int, int, int]] = []
        self._sections: list[SectionWriter] = []
        try:
            self._file = self._partial.open("wb")
        except OSError as error:
            raise no_room(path, error) from error
        self._write(MAGIC)

    def section(self, section: int, database_number: int) -> SectionWriter:
        """Where the keys of a section go."""
        writer = SectionWriter(self, section, database_number)
        self._sections.append(writer)
        return writer

    def write_block(
        self, section: int, commands: Sequence[bytes], digests: array[int], expiries: array[int]
    ) -> None:
        """Append a block."""
        units = [b"".join(commands[at : at + UNIT_KEYS]) for at in range(0, len(commands), UNIT_KEYS)]
        sizes = array("I", map(len, units))
        raw = b"".join((sizes.tobytes(), digests.tobytes(), expiries.tobytes(), *units))
        frame = self._compressor.compress(raw)
        self._blocks.append((section, self._size, len(commands)))
        self._write(_BLOCK.pack(len(commands), len(raw), len(frame)))
        self._write(frame)

    def written(self) -> Iterator[Block]:
        """All blocks again, in the order of moving; nothing is to be added after that."""
        for writer in self._sections:
            writer.flush()
        try:
            self._file.flush()
            with self._partial.open("rb") as file:
                for place in _places(self._order()):
                    yield _read_block(file, place)
        except OSError as error:
            raise no_room(self._path, error) from error

    def _order(self) -> list[tuple[int, int, int]]:
        """Blocks of one section one after the other; among them, the stream's order."""
        return sorted(self._blocks, key=lambda block: block[0])

    def finish(self, facts: Any) -> None:
        """Add the facts (what JSON takes), sync, and give the file its name."""
        for writer in self._sections:
            writer.flush()
        document = json.dumps({"blocks": self._order(), "facts": facts}).encode()
        tail = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(document)
        begins = self._size
        self._write(tail)
        footer = _FOOTER.pack(begins, len(tail), self._digest.digest(), MAGIC)
        try:
            self._file.write(footer)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._partial.rename(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            raise no_room(self._path, error) from error

    def discard(self) -> None:
        """Give it up; harmless after `finish`."""
        with suppress(OSError):  # what can't be written is given up anyway
            self._file.close()
        self._partial.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise no_room(self._path, error) from error
        self._digest.update(data)
        self._size += len(data)


class PlanFile:
    """A complete plan, to be read; InvalidPlanFile where it isn't one.

    The file is open while it is read only: a long watch leaves thousands of sweeps, more than a process may
    have open at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _FOOTER.size))
                begins, length, self._digest, magic = _FOOTER.unpack(file.read(_FOOTER.size))
                if magic != MAGIC or begins + length + _FOOTER.size != size:
                    raise _damaged(path, "its end is missing")
                self._size = size - _FOOTER.size
                file.seek(begins)
                document = json.loads(zstandard.ZstdDecompressor().decompress(file.read(length)))
        except OSError as error:
            raise InvalidPlanFile(
                f"can't read the plan {path}: {error.strerror}", hint="Make one with: inv migrate --plan-file"
            ) from error
        except (struct.error, zstandard.ZstdError, ValueError) as error:
            raise _damaged(path, "it is no plan, or cut off") from error
        self.facts: Any = document["facts"]
        self.blocks = _places(document["blocks"])
        self.keys = sum(place.keys for place in self.blocks)

    def close(self) -> None:
        """Let go of it; between two reads nothing is open."""

    def check(self) -> None:
        """Read all of it and compare its digest. InvalidPlanFile where a bit differs."""
        digest = xxhash.xxh3_128()
        with self.path.open("rb") as file:
            left = self._size
            while left:
                data = file.read(min(left, 1 << 20))
                if not data:
                    raise _damaged(self.path, "it is cut off")
                digest.update(data)
                left -= len(data)
        if digest.digest() != self._digest:
            raise _damaged(self.path, "its checksum is wrong")

    def read_block(self, place: BlockPlace) -> Block:
        """One block, by its place."""
        try:
            with self.path.open("rb") as file:
                return _read_block(file, place)
        except (OSError, struct.error, zstandard.ZstdError) as error:
            raise _damaged(self.path, f"a block of it can't be read ({error})") from error

    def read(self, position: int = 0, until: int | None = None) -> Iterator[Block]:
        """The blocks that have keys between two positions, whole ones."""
        last = self.keys if until is None else until
        for place in self.blocks:
            if place.position + place.keys > position and place.position < last:
                yield self.read_block(place)


def _places(blocks: Iterable[Sequence[int]]) -> list[BlockPlace]:
    places = []
    position = 0
    for section, offset, keys in blocks:
        places.append(BlockPlace(section, offset, position, keys))
        position += keys
    return places


def _read_block(file: BinaryIO, place: BlockPlace) -> Block:
    file.seek(place.offset)
    keys, size, length = _BLOCK.unpack(file.read(_BLOCK.size))
    raw = zstandard.ZstdDecompressor().decompress(file.read(length), max_output_size=size)
    count = -(-keys // UNIT_KEYS)
    sizes = array("I", raw[: 4 * count])
    at = 4 * count
    digests = array("q", raw[at : at + 8 * keys])
    at += 8 * keys
    expiries = array("I", raw[at : at + 4 * keys])
    at += 4 * keys
    units = []
    for unit_size in sizes:
        units.append(raw[at : at + unit_size])
        at += unit_size
    return Block(place, units, digests, expiries)


def sync_folder(path: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def no_room(path: Path, error: OSError) -> JournalFailed:
    """The error for a disk that takes no more of a plan."""
    return JournalFailed(
        f"can't write the plan {path}: {error.strerror}",
        hint="Nothing was moved. Make room there, and try again.",
    )


def _damaged(path: Path, what: str) -> InvalidPlanFile:
    return InvalidPlanFile(
        f"{path.name} can't be used: {what}",
        hint="Nothing was moved by it. Make a new plan with: inv migrate --dry-run",
    )
