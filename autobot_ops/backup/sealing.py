"""A part of an archive on its way: compressed (zstd), encrypted (age), hashed; and back.

Both directions work in a thread behind a short queue, so compression and encryption overlap with what
makes or takes the bytes, and memory is a few pieces whatever the size. What comes out of a `SealedReader`
is unproven until its end was reached without an error.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Queue
from typing import TYPE_CHECKING, BinaryIO, Protocol

import pyrage
import zstandard
from pyrage import x25519

from autobot_ops.backup.errors import DamagedPart, StorageFailed, WrongKey

if TYPE_CHECKING:
    from typing_extensions import Buffer

LEVEL = 1
"""A stream waits for nobody: at level 3 archives are some 8 % smaller and take twice the time."""
PIECE_BYTES = 512 * 1024
"""What is handed from thread to thread. Each hand-over waits for the interpreter, up to 5 ms."""
STORED_PIECE_BYTES = 1024
PIECES_AHEAD = 3
ENCRYPTED_ENDING = ".age"


class Output(Protocol):
    """What a sealed file is written to."""

    def write(self, data: bytes, /) -> object:
        """Take all the bytes, or raise OSError."""
        ...


@dataclass(frozen=True)
class Sealed:
    """What was written. Sizes in bytes; the hash is of the stored bytes."""

    plain_bytes: int
    stored_bytes: int
    sha256: str


class SealingWriter:
    """Takes plain bytes and writes the sealed ones to `output`, which stays its owner's to sync and close.

    With no recipients it compresses only. End with `finish`, or give up with `abort`: what was written
    then lacks the end marks of both formats. StorageFailed comes from the next `write` or from `finish`.
    """

    def __init__(
        self, output: Output, recipients: Sequence[x25519.Recipient], *, what: str, level: int = LEVEL
    ) -> None:
        self._plain_bytes = 0
        self._held = bytearray()
        self._what = what
        self._queue: Queue[bytes | None] = Queue(PIECES_AHEAD)
        self._aborted = False
        self._failure: Exception | None = None
        self._sink = _HashingSink(output)
        self._source = _CompressedSource(self._queue, level, lambda: self._aborted)
        self._recipients = list(recipients)
        self._thread = threading.Thread(target=self._work, name=f"sealing {what}", daemon=True)
        self._thread.start()

    def write(self, data: bytes, /) -> int:
        """Take plain bytes. Small pieces are gathered: a piece in the queue costs two switches of thread."""
        self._plain_bytes += len(data)
        if len(self._held) + len(data) < PIECE_BYTES:
            self._held += data
            return len(data)
        if self._held:
            self._hand_over(bytes(self._held))
            self._held.clear()
        self._hand_over(data)
        return len(data)

    def finish(self) -> Sealed:
        """Write what is left and both end marks."""
        if self._held:
            self._hand_over(bytes(self._held))
        self._queue.put(None)
        self._thread.join()
        self._raise_failure()
        return Sealed(self._plain_bytes, self._sink.size, self._sink.digest.hexdigest())

    def abort(self) -> None:
        """Stop; to be called where `finish` wasn't reached. Harmless after it."""
        self._aborted = True
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _hand_over(self, piece: bytes) -> None:
        self._raise_failure()
        self._queue.put(piece)

    def _raise_failure(self) -> None:
        if self._failure is None:
            return
        cause = self._sink.failure or self._failure
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
        raise StorageFailed(
            f"{self._what} can't be written: {reason}",
            hint="Nothing was kept. Make room where backup_dir points to, and run this again.",
        ) from cause

    def _work(self) -> None:
        try:
            if self._recipients:
                pyrage.encrypt_io(self._source, self._sink, self._recipients)
            else:
                while piece := self._source.read(PIECE_BYTES):
                    self._sink.write(piece)
            self._sink.write_held()
        except Exception as error:
            self._failure = error
            self._source.drain()


class _HashingSink:
    """Gathers, counts and hashes what goes to the output; keeps its error, of which age's says too little."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._held = bytearray()
        self.size = 0
        self.digest = hashlib.sha256()
        self.failure: OSError | None = None

    def write(self, data: bytes) -> int:
        self._held += data
        if len(self._held) >= PIECE_BYTES:
            self.write_held()
        return len(data)

    def write_held(self) -> None:
        """Let nothing be held back."""
        data = bytes(self._held)
        self._held.clear()
        try:
            self._output.write(data)
        except OSError as error:
            self.failure = error
            raise
        self.digest.update(data)
        self.size += len(data)

    def flush(self) -> None:
        """For age; the owner of the output flushes it."""


class _Aborted(Exception):
    """The writer gave up; nobody sees this."""


class _CompressedSource:
    """The queue's pieces, compressed, to be read like a file."""

    def __init__(self, queue: Queue[bytes | None], level: int, aborted: Callable[[], bool]) -> None:
        self._queue = queue
        self._aborted = aborted
        self._compressor = zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj()
        self._ready = memoryview(b"")
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        while not self._ready and not self._ended:
            piece = self._queue.get()
            if self._aborted():
                self._ended = True
                raise _Aborted
            if piece is None:
                self._ended = True
                self._ready = memoryview(self._compressor.flush())
            else:
                self._ready = memoryview(self._compressor.compress(piece))
        taken = self._ready if size < 0 else self._ready[:size]
        self._ready = self._ready[len(taken) :]
        return bytes(taken)

    def drain(self) -> None:
        """Let the writing thread go on until it sees the failure."""
        while not self._ended:
            self._ended = self._queue.get() is None


class SealedReader(io.RawIOBase):
    """Plain bytes of a sealed file, to be read like a file and closed. `what` is for errors.

    DamagedPart and WrongKey come while it is read; an end without an error is the end that was written.
    """

    def __init__(
        self, source: BinaryIO, identities: Sequence[x25519.Identity], *, encrypted: bool, what: str
    ) -> None:
        super().__init__()
        self._what = what
        self._decryption = _Decryption(source, identities, what) if encrypted else None
        self._stored = _Cut(self._decryption.piece if self._decryption else lambda: source.read(PIECE_BYTES))
        self._decompressor = zstandard.ZstdDecompressor().decompressobj()
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, up to `size`; all that are left for -1; none at the end."""
        if size < 0:
            return self.readall()
        while not self._ready and size:
            stored = self._stored.next()
            if self._decompressor.eof and (stored or self._decompressor.unused_data):
                raise DamagedPart(f"{self._what} goes on behind its end")
            if not stored:
                if not self._decompressor.eof:
                    raise DamagedPart(f"{self._what} ends before its end")
                return b""
            try:
                self._ready = memoryview(self._decompressor.decompress(stored))
            except zstandard.ZstdError as error:
                raise DamagedPart(f"{self._what} can't be decompressed: {error}") from error
        taken = self._ready[:size]
        self._ready = self._ready[size:]
        return bytes(taken)

    def readinto(self, buffer: Buffer, /) -> int:
        """As RawIOBase wants it."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Give up what wasn't read. The source is its owner's to close."""
        if self._decryption is not None:
            self._decryption.stop()
        super().close()


class _Cut:
    """Cuts pieces small for the decompressor, which can make 30,000 times as much of them."""

    def __init__(self, next_piece: Callable[[], bytes]) -> None:
        self._next_piece = next_piece
        self._piece = memoryview(b"")

    def next(self) -> bytes:
        if not self._piece:
            self._piece = memoryview(self._next_piece())
        taken = self._piece[:STORED_PIECE_BYTES]
        self._piece = self._piece[STORED_PIECE_BYTES:]
        return bytes(taken)


class _Decryption:
    """age pushes what it decrypts; this hands it over piece by piece."""

    def __init__(self, source: BinaryIO, identities: Sequence[x25519.Identity], what: str) -> None:
        self._queue: Queue[bytes | Exception] = Queue(PIECES_AHEAD)
        self._held = bytearray()
        self._stopped = False
        self._end: bytes | Exception | None = None
        arguments = (source, list(identities), what)
        self._thread = threading.Thread(
            target=self._work, args=arguments, name=f"opening {what}", daemon=True
        )
        self._thread.start()

    def piece(self) -> bytes:
        """The next decrypted bytes; none at the end."""
        if self._end is None:
            item = self._queue.get()
            if isinstance(item, bytes) and item:
                return item
            self._end = item
        if isinstance(self._end, Exception):
            raise self._end
        return self._end

    def stop(self) -> None:
        """End the thread, whatever it is at."""
        self._stopped = True
        while self._thread.is_alive():
            with suppress(Empty):
                self._queue.get(timeout=0.05)
        self._thread.join()

    def write(self, data: bytes) -> int:
        """For age, in the thread."""
        if self._stopped:
            raise _Aborted
        self._held += data
        if len(self._held) >= PIECE_BYTES:
            self._hand_over()
        return len(data)

    def flush(self) -> None:
        """For age; the end is known when it returns."""

    def _hand_over(self) -> None:
        self._queue.put(bytes(self._held))
        self._held.clear()

    def _work(self, source: BinaryIO, identities: list[x25519.Identity], what: str) -> None:
        end: bytes | Exception = b""
        try:
            pyrage.decrypt_io(source, self, identities)
            if self._held:
                self._hand_over()
        except pyrage.DecryptError as error:
            no_key = "no matching keys" in str(error).lower()
            end = WrongKey(what) if no_key else DamagedPart(f"{what} can't be decrypted: {error}")
        except Exception as error:
            end = DamagedPart(f"{what} can't be decrypted: {error}")
        self._queue.put(end)
