"""One key with its value, as the reader meets it."""

from __future__ import annotations

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
        "_data",
        "_dialect",
        "_end",
        "_pending",
        "_value_at",
        "_window",
        "code",
        "database",
        "expires_at",
        "key",
        "offset",
    )

    def __init__(self, window: Window, dialect: Dialect) -> None:
        self._window = window
        self._dialect = dialect

    def fill(
        self,
        database: int,
        key: bytes,
        code: int,
        expires_at: int | None,
        start: int,
        value_at: int,
        end: int | None,
    ) -> None:
        """For the reader: the next entry stands at these places of the window's data."""
        self.database = database
        self.key = key
        self.code = code
        self.expires_at = expires_at
        self._value_at = value_at
        self._end = end
        self._pending = end is None
        self._data = self._window.data
        self.offset = self._window.base + start

    @property
    def kind(self) -> Kind:
        """What the value is to a user: string, list, set, zset, hash, stream or module."""
        return self._dialect.types[self.code].kind

    @property
    def value(self) -> bytes | None:
        """The serialised value, or None where it is larger than the reader's buffer."""
        return None if self._end is None else self._data[self._value_at : self._end]

    def write_value(self, sink: Sink) -> None:
        """Give the serialised value to `sink`, in as many pieces as it takes."""
        if self._end is not None:
            sink(self._data[self._value_at : self._end])
            return
        window = self._window
        window.release()
        window.hand_over(window.position)
        window.tee = sink
        self.finish()
        window.hand_over(window.position)
        window.tee = None

    def content(self) -> Window:
        """The window, at the value's first byte, for somebody who reads exactly the value."""
        self._window.position = self._value_at if self._end is not None else self._window.position
        self._pending = False
        return self._window

    def finish(self) -> int:
        """Let what is left of the value go by; the size of the whole entry in the stream, in bytes."""
        window = self._window
        if self._end is not None:
            return window.base + self._end - self.offset
        if self._pending:
            self._pending = False
            pass_over(window, self._dialect.types[self.code].layout)
        return window.offset - self.offset
