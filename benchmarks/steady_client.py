"""Another client of the same server: so many GETs a second, whatever happens, and how long they took.

Latency counts from when a request was *due*, so a server that stalls can't hide the requests that it held up.
Run as a program it goes on until its input ends and prints its percentiles as JSON, in milliseconds.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

REQUESTS_PER_SECOND = 1000
_REQUEST = b"*2\r\n$3\r\nGET\r\n$6\r\nsteady\r\n"
_REPLY = b"$-1\r\n"


def main(port: int) -> None:
    """Ask until the input ends."""
    latencies = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        due = time.perf_counter()
        while not select.select([sys.stdin], [], [], 0)[0]:
            due += 1 / REQUESTS_PER_SECOND
            if (wait := due - time.perf_counter()) > 0:
                time.sleep(wait)
            connection.sendall(_REQUEST)
            received = b""
            while len(received) < len(_REPLY):
                received += connection.recv(64)
            latencies.append(time.perf_counter() - due)
    latencies.sort()
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    found = {name: latencies[int(share * (len(latencies) - 1))] * 1000 for name, share in shares.items()}
    print(json.dumps({**found, "requests": len(latencies)}))


class Others:
    """The percentiles in milliseconds, when the block has ended."""

    def __init__(self) -> None:
        self.percentiles: dict[str, float] = {}


@contextmanager
def steady_client(port: int) -> Iterator[Others]:
    """Such a client beside what the block does."""
    others = Others()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.steady_client", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield others
    finally:
        output, _ = process.communicate(timeout=60)
    others.percentiles = json.loads(output)


if __name__ == "__main__":
    main(int(sys.argv[1]))
