"""The replication stream: what a server says in words, and every way in which it can end early."""

from __future__ import annotations

import datetime
import ipaddress
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from autobot_ops.rdb.errors import StreamEndedEarly, StreamRefused, StreamUnavailable, TruncatedRdb
from autobot_ops.rdb.reader import Reader
from autobot_ops.rdb.splitter import Splitter
from autobot_ops.rdb.stream import Endpoint, ReplicationStream
from tests.component.rdb.conftest import StartServer
from tests.component.rdb.contents import fingerprints
from tests.component.rdb.data_server import DataServer, children_of
from tests.component.rdb.keys import fill
from tests.free_ports import free_port
from tests.waiting import wait_until

PATIENCE = 15.0
# So many microseconds for each key that the child writes: time for something to happen in mid-stream.
SLOWLY = ("--rdb-key-save-delay", "300")


def endpoint(server: DataServer, **changes: object) -> Endpoint:
    return Endpoint("127.0.0.1", server.port, **changes)  # type: ignore[arg-type]


# --- rights and refusals ------------------------------------------------------------------------------


def test_a_user_with_two_commands_and_no_keys_gets_everything(start_server: StartServer) -> None:
    server = start_server()
    fill(server, keys=30)
    server.command("ACL", "SETUSER", "backup", "on", ">word", "-@all", "+replconf", "+sync")
    with server.stream() as stream:
        expected = fingerprints(stream)
    with ReplicationStream(endpoint(server, username="backup", password="word")) as stream:
        assert fingerprints(stream) == expected


@pytest.mark.parametrize("missing", ["sync", "replconf"])
def test_names_the_missing_right(start_server: StartServer, missing: str) -> None:
    server = start_server()
    server.command("ACL", "SETUSER", "backup", "on", ">word", "-@all", "+replconf", "+sync", f"-{missing}")
    with pytest.raises(StreamRefused, match="may not ask") as caught:
        ReplicationStream(endpoint(server, username="backup", password="word"))
    assert "+replconf +sync" in caught.value.hint
    assert "word" not in caught.value.hint


def test_names_a_wrong_password_without_showing_it(start_server: StartServer) -> None:
    server = start_server("--requirepass", "right")
    with pytest.raises(StreamRefused, match="refuses the user name or password") as caught:
        ReplicationStream(endpoint(server, password="very-wrong"))
    assert "very-wrong" not in str(caught.value) + caught.value.hint + repr(
        endpoint(server, password="very-wrong")
    )


def test_names_a_missing_password(start_server: StartServer) -> None:
    server = start_server("--requirepass", "right", wait=False)
    wait_until(lambda: "Ready to accept" in server.log(), "the server is ready", PATIENCE)
    with pytest.raises(StreamRefused, match="wants a password"):
        ReplicationStream(endpoint(server))
    with ReplicationStream(endpoint(server, password="right")) as stream:
        assert fingerprints(stream) == {}


def test_names_a_password_too_many(start_server: StartServer) -> None:
    with pytest.raises(StreamRefused, match="no password and was given one"):
        ReplicationStream(endpoint(start_server(), password="x"))


def test_names_a_server_without_the_command(start_server: StartServer) -> None:
    server = start_server("--rename-command", "SYNC", "")
    with pytest.raises(StreamRefused, match="doesn't offer") as caught:
        ReplicationStream(endpoint(server))
    assert "SCAN" in caught.value.hint


def test_names_a_server_that_is_loading(start_server: StartServer) -> None:
    source = start_server()
    fill(source, keys=300)
    # A delay for each key keeps it loading; it answers in between.
    server = start_server(
        "--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024",
        rdb=source.save(), wait=False,
    )  # fmt: skip
    wait_until(lambda: "Loading RDB" in server.log(), "the server loads", PATIENCE)
    with pytest.raises(StreamUnavailable, match="still loading"):
        ReplicationStream(endpoint(server))


def test_names_a_replica_without_its_master(start_server: StartServer) -> None:
    server = start_server("--replicaof", "127.0.0.1", str(free_port()))
    with pytest.raises(StreamUnavailable, match="link to its master is down"):
        ReplicationStream(endpoint(server))


def test_a_replica_gives_its_stream_too(start_server: StartServer) -> None:
    master = start_server()
    fill(master, keys=30)
    replica = start_server("--replicaof", "127.0.0.1", str(master.port))
    wait_until(
        lambda: replica.client().info("replication")["master_link_status"] == "up",
        "the replica follows",
        PATIENCE,
    )
    with master.stream() as one, replica.stream() as other:
        assert fingerprints(one) == fingerprints(other)


def test_names_a_server_that_is_not_there() -> None:
    with pytest.raises(StreamUnavailable, match="refused"):
        ReplicationStream(Endpoint("127.0.0.1", free_port()))
    with pytest.raises(StreamUnavailable, match="no connection"):
        ReplicationStream(Endpoint("no-such-host.invalid", 6379))


# --- other things on the port -------------------------------------------------------------------------


@pytest.fixture
def plain_server() -> Iterator[Callable[[bytes], int]]:
    """Something on a port that answers everybody with the same bytes and waits."""
    listeners: list[socket.socket] = []

    def start(answer: bytes) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            held = []
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.sendall(answer)
                held.append(connection)

        threading.Thread(target=serve, daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    for each in listeners:
        each.shutdown(socket.SHUT_RDWR)
        each.close()


def test_names_something_that_is_no_redis(plain_server: Callable[[bytes], int]) -> None:
    port = plain_server(b"HTTP/1.1 400 Bad Request\r\n" * 9)
    with pytest.raises(StreamUnavailable, match="doesn't speak"):
        ReplicationStream(Endpoint("127.0.0.1", port))


def test_gives_up_on_a_silent_server(plain_server: Callable[[bytes], int]) -> None:
    with pytest.raises(StreamUnavailable, match="sent nothing"):
        ReplicationStream(Endpoint("127.0.0.1", plain_server(b"")), idle_seconds=0.2)


def test_gives_up_on_a_server_that_falls_silent(start_server: StartServer) -> None:
    server = start_server(*SLOWLY)
    fill(server, keys=300)
    with server.stream(idle_seconds=0.5) as stream:
        assert server.process is not None
        stopped = [server.process.pid, *children_of(server.process.pid)]
        for each in stopped:
            os.kill(each, signal.SIGSTOP)
        try:
            with pytest.raises(StreamUnavailable, match="sent nothing"):
                fingerprints(stream)
        finally:
            for each in stopped:
                os.kill(each, signal.SIGCONT)


def test_newlines_keep_the_wait_alive(start_server: StartServer) -> None:
    server = start_server("--repl-ping-replica-period", "1")
    fill(server, keys=5)
    server.command("CONFIG", "SET", "repl-diskless-sync-delay", "4")
    with server.stream(idle_seconds=2.5) as stream:
        assert set(fingerprints(stream)) == {0, 1, 5}


def test_a_connection_that_was_closed_leaves_no_child_behind(start_server: StartServer) -> None:
    server = start_server(*SLOWLY)
    fill(server, keys=2000)
    with server.stream() as stream:
        stream.read(1000)
        assert server.has_child()
    wait_until(lambda: not server.has_child(), "the child has ended", PATIENCE)


# --- endings ------------------------------------------------------------------------------------------


def kill_child(server: DataServer) -> None:
    assert server.process is not None
    for child in children_of(server.process.pid):
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(
    ("happens", "says"),
    [
        pytest.param(kill_child, "cut the stream off", id="child killed"),
        pytest.param(lambda server: server.kill(), "went away", id="server killed"),
        pytest.param(lambda server: server.command("FLUSHALL"), "cut the stream off", id="flushall"),
        pytest.param(
            lambda server: server.command("CLIENT", "KILL", "TYPE", "replica"),
            "cut the stream off",
            id="client killed",
        ),
    ],
)
def test_an_early_end_is_seen_and_nothing_is_kept(
    start_server: StartServer, tmp_path: Path, happens: Callable[[DataServer], object], says: str
) -> None:
    server = start_server(*SLOWLY)
    fill(server, keys=1500)
    file = (tmp_path / "one.rdb").open("wb")
    with file, server.stream() as stream:
        splitter = Splitter(stream, lambda number: file if number == 0 else None, chunk_bytes=4096)
        entries = iter(splitter)
        next(entries)
        happens(server)
        with pytest.raises(StreamEndedEarly, match=says) as caught:
            for _ in entries:
                pass
    assert "Nothing was kept" in caught.value.hint
    with (tmp_path / "one.rdb").open("rb") as kept, pytest.raises(TruncatedRdb):
        fingerprints(kept)


def test_a_reader_that_is_too_slow_is_told_so(start_server: StartServer) -> None:
    server = start_server("--repl-timeout", "1")
    with server.client() as client:
        for number in range(60):
            client.set(f"key {number}", os.urandom(500_000))
    with server.stream() as stream:
        wait_until(
            lambda: "Disconnecting timedout replica" in server.log(), "the replica is given up", PATIENCE
        )
        with pytest.raises(StreamEndedEarly, match="cut the stream off") as caught:
            fingerprints(stream)
    assert "too slow" in caught.value.hint


# --- TLS ----------------------------------------------------------------------------------------------


def make_certificates(folder: Path) -> None:
    """A certificate authority and a certificate for the loopback address, for a day."""
    folder.mkdir()
    now = datetime.datetime.now(datetime.UTC)

    def write(
        name: str, subject: str, issuer: str, signer: ec.EllipticCurvePrivateKey | None
    ) -> ec.EllipticCurvePrivateKey:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
            .sign(signer or key, hashes.SHA256())
        )
        (folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return key

    authority = write("ca", "test authority", "test authority", None)
    write("server", "server", "test authority", authority)


def test_reads_over_tls_and_refuses_a_stranger(start_server: StartServer, tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    make_certificates(folder)
    tls_port = free_port()
    server = start_server(
        "--tls-port", str(tls_port), "--tls-cert-file", str(folder / "server.crt"), "--tls-key-file",
        str(folder / "server.key"), "--tls-ca-cert-file", str(folder / "ca.crt"), "--tls-auth-clients", "no",
    )  # fmt: skip
    fill(server, keys=100)
    with server.stream() as stream:
        expected = fingerprints(stream)
    trusting = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    with ReplicationStream(Endpoint("127.0.0.1", tls_port, tls=trusting)) as stream:
        assert fingerprints(stream) == expected
    with pytest.raises(StreamUnavailable, match=r"(?i)certificate.verify.failed"):
        ReplicationStream(Endpoint("127.0.0.1", tls_port, tls=ssl.create_default_context()))
    with pytest.raises(StreamUnavailable, match="tls"):
        ReplicationStream(Endpoint("127.0.0.1", server.port, tls=trusting), connect_seconds=0.5)
    with pytest.raises(StreamUnavailable):
        ReplicationStream(Endpoint("127.0.0.1", tls_port), idle_seconds=2)


# --- sizes of reads -----------------------------------------------------------------------------------


@pytest.mark.parametrize("diskless", ["yes", "no"])
@pytest.mark.parametrize("size", [1, 39, 40, 41, 1000, 1 << 20])
def test_gives_exactly_the_rdb_in_reads_of_any_size(
    start_server: StartServer, diskless: str, size: int
) -> None:
    server = start_server("--repl-diskless-sync", diskless)
    with server.client() as client:
        for number in range(200):
            client.set(f"key {number}", "value")
    pieces = []
    with server.stream() as stream:
        while piece := stream.read(size):
            assert len(piece) <= size
            pieces.append(piece)
        assert stream.read(size) == b""
    assert all(len(piece) == size for piece in pieces[:-1])
    whole = b"".join(pieces)
    assert whole.startswith(b"REDIS")
    assert len([entry.key for entry in Reader(BytesIO(whole))]) == 200
