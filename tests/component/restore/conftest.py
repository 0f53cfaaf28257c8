"""Servers for the tests of restoring."""

from __future__ import annotations

import pytest

from autobot_ops.restore.server import RestoreServer
from tests.component.rdb.conftest import engine, start_server
from tests.component.redis_process import RedisProcess
from tests.component.restore.servers import with_users

__all__ = ["engine", "start_server"]


@pytest.fixture
def server(redis_process: RedisProcess) -> RestoreServer:
    """The test's own server with the stack's users, whose streams begin at once as in the stack."""
    with redis_process.operator() as client:
        client.config_set("repl-diskless-sync-delay", 0)
    return with_users(redis_process)
