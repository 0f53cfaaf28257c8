"""Servers for the tests of restoring."""

from __future__ import annotations

from tests.component.rdb.conftest import engine, start_server

__all__ = ["engine", "start_server"]
