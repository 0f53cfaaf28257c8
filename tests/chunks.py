"""Bytes in the pieces in which they were written."""

from __future__ import annotations

from collections.abc import Callable


class Chunks(list[bytes]):
    """Where a dump or an archive goes; `when_it_begins` is called before the first piece is kept."""

    def __init__(self, when_it_begins: Callable[[], object] | None = None) -> None:
        super().__init__()
        self._when_it_begins = when_it_begins

    def write(self, data: bytes) -> None:
        """Keep one more piece."""
        if not self and self._when_it_begins:
            self._when_it_begins()
        self.append(data)
