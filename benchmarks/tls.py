"""What TLS to Redis costs: the same commands on one throwaway server, plain and encrypted."""

from __future__ import annotations

import datetime
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from autobot_ops.isolation import certificates
from benchmarks.harness import Arm, Goal, Metrics, Report, installed, measure, publish
from src.utils.redis_tls import TlsConnection
from tests.free_ports import free_port

COMMANDS = 4000
PIPELINE = 100
SMALL, LARGE = 100, 65_536
LARGE_COMMANDS = 400
CONNECTIONS = 40
REDIS_PY = "TLS as redis-py connects"


@dataclass(frozen=True)
class Server:
    """One redis-server that listens for both kinds of connection."""

    plain_port: int
    tls_port: int
    socket: str
    ca_file: str


@contextmanager
def throwaway_server() -> Iterator[Server]:
    """Start it, fill it, and end it with everything that it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        now = datetime.datetime.now(datetime.UTC)
        authority = certificates.make_authority("benchmark", now)
        ca_file, pair = Path(folder, "ca.pem"), Path(folder, "server.pem")
        ca_file.write_text(authority.certificate)
        pair.write_text(certificates.issue_server(authority, ["localhost"], now).text)
        server = Server(free_port(), free_port(), f"{folder}/redis.sock", str(ca_file))
        process = subprocess.Popen(
            [
                *("redis-server", "--port", str(server.plain_port), "--tls-port", str(server.tls_port)),
                *("--unixsocket", server.socket, "--bind", "127.0.0.1", "--save", ""),
                *("--tls-cert-file", str(pair), "--tls-key-file", str(pair), "--tls-auth-clients", "no"),
            ],
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        try:
            _fill(server)
            yield server
        finally:
            process.terminate()
            process.wait()


def _fill(server: Server) -> None:
    deadline = time.monotonic() + 15
    with redis.Redis(unix_socket_path=server.socket) as client:
        while True:
            try:
                client.mset({"small": b"x" * SMALL, "large": b"x" * LARGE})
            except redis.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return


def work(server: Server, connect: Callable[[], redis.Redis]) -> Callable[[], Metrics]:
    """Everything that is measured, for one way of connecting."""

    def run() -> Metrics:
        with connect() as client:
            client.get("small")
            single = _cost(server, lambda: client.get("small"), COMMANDS)
            pipelined = _cost(server, lambda: _pipelined(client), COMMANDS // PIPELINE)
            large = _cost(server, lambda: client.get("large"), LARGE_COMMANDS)
            connection = _cost(server, lambda: _connect_once(connect), CONNECTIONS)
        return {
            "GET of 100 B [1/s]": 1 / single.seconds,
            "GET of 100 B, CPU of both sides [µs]": single.cpu_seconds * 1e6,
            "pipelined GET of 100 B [1/s]": PIPELINE / pipelined.seconds,
            "pipelined GET of 100 B, CPU of both sides [µs]": pipelined.cpu_seconds / PIPELINE * 1e6,
            "GET of 64 KiB [1/s]": 1 / large.seconds,
            "GET of 64 KiB, CPU of both sides [µs]": large.cpu_seconds * 1e6,
            "new connection [ms]": connection.seconds * 1e3,
            "new connection, CPU of both sides [ms]": connection.cpu_seconds * 1e3,
        }

    return run


@dataclass(frozen=True)
class Cost:
    """Of one action, in the mean."""

    seconds: float
    cpu_seconds: float


def _cost(server: Server, action: Callable[[], object], times: int) -> Cost:
    cpu, began = _cpu_seconds(server), time.perf_counter()
    for _ in range(times):
        action()
    seconds = time.perf_counter() - began
    return Cost(seconds / times, (_cpu_seconds(server) - cpu) / times)


def _cpu_seconds(server: Server) -> float:
    """Of client and server so far: unlike the clock's, they don't count what else the machine does."""
    with redis.Redis(unix_socket_path=server.socket) as client:
        used = client.info("cpu")
    return time.process_time() + float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


def _pipelined(client: redis.Redis) -> None:
    pipeline = client.pipeline(transaction=False)
    for _ in range(PIPELINE):
        pipeline.get("small")
    pipeline.execute()


def _connect_once(connect: Callable[[], redis.Redis]) -> None:
    with connect() as client:
        client.ping()


def _added(report: Report, metric: str) -> float:
    return report.median("TLS", metric) - report.median("plain", metric)


def main() -> None:
    """Measure and publish."""
    with throwaway_server() as server:
        ways: dict[str, Callable[[], redis.Redis]] = {
            "plain": lambda: redis.Redis(port=server.plain_port),
            "TLS": lambda: redis.Redis.from_pool(
                redis.ConnectionPool(
                    connection_class=TlsConnection,
                    host="localhost",
                    port=server.tls_port,
                    ssl_ca_certs=server.ca_file,
                )
            ),
            REDIS_PY: lambda: redis.Redis(
                host="localhost", port=server.tls_port, ssl=True, ssl_ca_certs=server.ca_file
            ),
        }
        rows = measure([Arm(name, work(server, connect)) for name, connect in ways.items()], rounds=7)
    report = Report(
        name="tls",
        data=f"one Redis 7.0 on loopback, one client; {COMMANDS} commands a round, pipelines of {PIPELINE}",
        rows=rows,
        versions=installed("redis", "hiredis", "cryptography"),
        remarks="TLS 1.3, AES-256-GCM, P-256. Client and server share the cores.",
    )
    cpu = "CPU of both sides"
    report.goals = [
        Goal(f"CPU that TLS adds to a {name} [µs]", _added(report, f"{name}, {cpu}"), limit)
        for name, limit in (("GET of 100 B", 50.0), ("pipelined GET of 100 B", 5.0), ("GET of 64 KiB", 200.0))
    ]
    connection = f"new connection, {cpu}"
    report.goals.append(
        Goal("new connection, ours / redis-py's", report.ratio("TLS", REDIS_PY, connection), 0.5)
    )
    publish(report)


if __name__ == "__main__":
    main()
