"""One key with its value, as the reader meets it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from autobot_ops.rdb.layout import Dialect, Kind
from autobot_ops.rdb.skipping import pass_over
from autobot_ops.rdb.window import Sink, Window


class Entry:
    """A key and its value, *valid until the next one is asked for*: the reader fills the same object.

    `expires_at` is absolute, in milliseconds, or None. `offset` is where the entry begins in the stream.
    The value is available once, in one of four ways: `value` (the serialised bytes, what DUMP puts
    between the type and its footer; None where it is larger than the reader's buffer), `write_value`
    (the same in pieces), `content` (to decode it), `finish` (to let it go by).
    """

    __slots__ = (
        "_dialect",
        "_window",
        "code",
        "data",
        "database",
        "end",
        "expires_at",
        "key",
        "offset",
        "pending",
        "value_at",
    )

    def __init__(self, window: Window, dialect: Dialect) -> None:
        self._window = window
        self._dialect = dialect
        self.database = 0
        self.key = b""
        self.code = 0
        self.expires_at: int | None = None
        self.offset = 0
        # For the reader and decoders: the value stands in data[value_at:end]; an end of 0 means that it
        # begins at the window's position and goes on beyond what is in memory.
        self.data = b""
        self.value_at = 0
        self.end = 0
        self.pending = False

    @property
    def kind(self) -> Kind:
        """What the value is to a user: string, list, set, zset, hash, stream or module."""
        return self._dialect.types[self.code].kind

    @property
    def value(self) -> bytes | None:
        """The serialised value, or None where it is larger than the reader's buffer."""
        return None if not self.end else self.data[self.value_at : self.end]

    def write_value(self, sink: Sink) -> None:
        """Give the serialised value to `sink`, in as many pieces as it takes."""
        with self.copied_to(sink):
            self.finish()

    @contextmanager
    def copied_to(self, sink: Sink) -> Iterator[None]:
        """Give the serialised value to `sink` too, while the block reads all of it or lets it go by."""
        if self.end:
            sink(self.data[self.value_at : self.end])
            yield
            return
        window = self._window
        window.release()
        window.hand_over(window.position)
        window.tee = sink
        yield
        window.hand_over(window.position)
        window.tee = None

    def content(self) -> Window:
        """The window, at the value's first byte, for somebody who reads exactly the value."""
        self.pending = False
        return self._window

    def finish(self) -> int:
        """Let what is left of the value go by; the size of the whole entry in the stream, in bytes."""
        window = self._window
        if self.end:
            return window.base + self.end - self.offset
        if self.pending:
            self.pending = False
            pass_over(window, self._dialect.types[self.code].layout)
        return window.offset - self.offset
