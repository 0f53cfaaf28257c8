"""What goes wrong around a restore: damaged files, a server that dies, somebody else at work."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from autobot_ops.errors import OpsError
from autobot_ops.rdb.errors import DamagedRdb, UnsupportedRdb
from autobot_ops.restore.errors import ContentDiffers, LoadRefused, RestoreUnderWay, ServerLost
from autobot_ops.restore.lock import restoring_alone
from autobot_ops.restore.restoring import apply_restore, list_restores, recover
from autobot_ops.restore.server import RestoreServer
from tests.component.redis_process import RedisProcess
from tests.component.restore.servers import archive_of, part_of, prepared
from tests.component.restore.test_restoring import keys_in, staging_keys, write

MANY = {f"session:{n}": f"value {n}" for n in range(20_000)}


def test_a_damaged_file_is_refused_before_anything_is_written(
    redis_process: RedisProcess, server: RestoreServer
) -> None:
    write(redis_process, 6, **{f"session:{n}": f"value {n}" for n in range(50)})
    part = archive_of(server, "sessions")
    figures: Any = part.figures
    with part.open() as source:
        content = source.read(1 << 20)
    chooser = random.Random(4)
    for _ in range(100):
        spoilt = bytearray(content)
        spoilt[chooser.randrange(len(spoilt))] ^= 1 << chooser.randrange(8)
        with pytest.raises((DamagedRdb, UnsupportedRdb, ContentDiffers)):
            prepared(server, part_of(bytes(spoilt), figures))
    for _ in range(30):
        with pytest.raises(DamagedRdb):
            prepared(server, part_of(content[: chooser.randrange(len(content))], figures))
    assert staging_keys(redis_process) == {}


@pytest.mark.parametrize("word", ["load", "compare", "exchange"])
def test_a_server_that_dies_keeps_its_live_database(
    redis_process: RedisProcess, server: RestoreServer, word: str
) -> None:
    write(redis_process, 6, **MANY)
    part = archive_of(server, "sessions")
    with redis_process.operator(6) as client:
        client.config_set("appendfsync", "always")
    write(redis_process, 6, live="1")
    ready = prepared(server, part)
    killed: list[str] = []

    def kill(now: str, loaded: Any) -> None:
        # In the middle of loading, not before it.
        if now == word and not killed and (word != "load" or loaded is not None):
            assert redis_process.process is not None
            redis_process.process.kill()
            redis_process.process.wait()
            killed.append(now)

    with pytest.raises(OpsError) as caught:
        apply_restore(server, ready, step=kill)
    assert killed == [word]
    assert caught.value.hint
    redis_process.process = None
    redis_process.start()
    assert len(recover(server)) == 1
    assert keys_in(redis_process, 6) == MANY | {"live": "1"}
    assert staging_keys(redis_process) == {}
    assert list_restores(server) == []


def test_a_full_server_refuses_and_staging_is_emptied(
    redis_process: RedisProcess, server: RestoreServer
) -> None:
    write(redis_process, 6, **MANY)
    ready = prepared(server, archive_of(server, "sessions"))
    with redis_process.operator() as client:
        client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + 300_000)
    with pytest.raises(LoadRefused, match="OOM"):
        apply_restore(server, ready)
    assert staging_keys(redis_process) == {}
    assert keys_in(redis_process, 6) == MANY


def test_an_interrupted_restore_leaves_nothing(redis_process: RedisProcess, server: RestoreServer) -> None:
    write(redis_process, 6, **MANY)
    ready = prepared(server, archive_of(server, "sessions"))

    def interrupt(now: str, loaded: object) -> None:
        if loaded is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply_restore(server, ready, step=interrupt)
    assert staging_keys(redis_process) == {}
    assert list_restores(server) == []


def test_refuses_two_restores_at_once_and_a_killed_one_holds_nobody_up(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    holds, ours = context.Event(), context.Event()

    def hold() -> None:
        with restoring_alone(tmp_path):
            holds.set()
            ours.wait(30)

    other = context.Process(target=hold)
    other.start()
    assert holds.wait(30)
    with pytest.raises(RestoreUnderWay), restoring_alone(tmp_path):
        pass
    assert other.pid is not None
    os.kill(other.pid, signal.SIGKILL)
    other.join(30)
    with restoring_alone(tmp_path):
        pass


def test_a_server_out_of_reach_is_an_error_with_a_hint(
    redis_process: RedisProcess, server: RestoreServer
) -> None:
    redis_process.stop()
    with pytest.raises(ServerLost) as caught:
        list_restores(server)
    assert "inv status" in caught.value.hint
