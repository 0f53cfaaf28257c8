"""Ports for servers that tests start.

They lie below those that the kernel gives to outgoing connections, and each worker process of a session has
a share of its own: nobody takes a port between its choice and its server's start, or while it restarts.
"""

from __future__ import annotations

import itertools
import os
import random
import socket

FIRST, BEHIND = 22_000, 32_000
WORKERS = 8
WORKER_VARIABLE = "PYTEST_XDIST_WORKER"


def share_of(worker: str) -> range:
    """The ports of a worker such as `gw1`; of a session without workers, which has no name, all. Pure."""
    if not worker:
        return range(FIRST, BEHIND)
    width = (BEHIND - FIRST) // WORKERS
    first = FIRST + int(worker.removeprefix("gw")) % WORKERS * width
    return range(first, first + width)


def _endless(ports: range) -> itertools.chain[int]:
    # From anywhere: sessions side by side begin at different places.
    start = random.randrange(len(ports))
    return itertools.chain.from_iterable(itertools.repeat((*ports[start:], *ports[:start])))


_PORTS = _endless(share_of(os.environ.get(WORKER_VARIABLE, "")))


def free_port() -> int:
    """A loopback port that nobody listens on at the moment, and that wasn't returned for long."""
    for port in _PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("endless")
