"""How long other clients wait: a process of its own that asks a server so many times a second.

Counted from the moment when a request was due, so a stall counts for every request that it delays.
"""

from __future__ import annotations

import multiprocessing
import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

REQUESTS_A_SECOND = 1000
_ANSWER = b"$-1\r\n"
_REQUEST = b"*2\r\n$3\r\nGET\r\n$7\r\nnothing\r\n"


@dataclass
class Latency:
    """Milliseconds, once the block has ended."""

    p50: float = 0.0
    p99: float = 0.0
    slowest: float = 0.0
    requests: int = 0


@contextmanager
def others(port: int, rate: int = REQUESTS_A_SECOND) -> Iterator[Latency]:
    """Ask while the block runs."""
    found = Latency()
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_ask, args=(port, rate, theirs), daemon=True)
    process.start()
    ours.recv()
    try:
        yield found
    finally:
        ours.send("stop")
        waited = sorted(ours.recv())
        process.join()
    found.requests = len(waited)
    found.p50, found.p99 = (waited[int(len(waited) * share)] * 1000 for share in (0.5, 0.99))
    found.slowest = waited[-1] * 1000


def _ask(port: int, rate: int, control: Connection) -> None:
    waited: list[float] = []
    under_way: deque[float] = deque()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        control.send("ready")
        due = time.perf_counter()
        rest = 0
        while True:
            now = time.perf_counter()
            if now >= due:
                # Whether or not the one before was answered: others don't wait for each other.
                connection.sendall(_REQUEST)
                under_way.append(due)
                due += 1 / rate
            elif select.select([connection], [], [], due - now)[0]:
                answers, rest = divmod(rest + len(connection.recv(64 * 1024)), len(_ANSWER))
                now = time.perf_counter()
                waited += [now - under_way.popleft() for _ in range(answers)]
            if len(waited) % 100 == 0 and control.poll():
                break
    control.send(waited)
