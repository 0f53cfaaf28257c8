"""A redis-server that lives as long as a `with` block: in memory, on a free loopback port, without users."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.free_ports import free_port

START_SECONDS = 10.0


@contextmanager
def throwaway_redis() -> Iterator[int]:
    """Its port. The process is ended by its id, the folder removed."""
    with tempfile.TemporaryDirectory(prefix="autobot-bench-") as folder:
        port = free_port()
        process = subprocess.Popen(
            [
                "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--databases", "32",
                "--save", "", "--appendonly", "no", "--dir", folder, "--logfile", str(Path(folder) / "log"),
            ],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait_until_it_answers(port)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=START_SECONDS)


def _wait_until_it_answers(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    with redis.Redis(port=port) as client:
        while True:
            try:
                client.ping()
            except redis.RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return
