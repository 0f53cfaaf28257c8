"""The CRC64 that ends every RDB stream (polynomial ad93d23594c935a9, reflected, from zero: "CRC-64/REDIS").

`anycrc` computes it at gigabytes a second; pure Python would be the slowest part of a backup.
"""

from __future__ import annotations

from typing import Protocol, cast

import anycrc  # type: ignore[import-untyped]


class _Model(Protocol):
    def calc(self, data: bytes, crc: int) -> int: ...


_MODEL = cast(_Model, anycrc.Model("CRC64-REDIS"))


def crc64(data: bytes, value: int = 0) -> int:
    """The checksum of `data`, going on from `value` (that of the bytes before)."""
    return _MODEL.calc(data, value)
