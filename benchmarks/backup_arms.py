"""The ways of backing up that `backup` compares, each as a program of its own: its peak memory is its own.

`python -m benchmarks.backup_arms ARM PORT FOLDER` does it once and prints JSON: `wall [s]` from the first
connection to the last fsync, without the interpreter's start, and `peak RSS [MiB]`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pyrage
import redis

from autobot_ops.backup.draft import Origin, Sealing
from autobot_ops.backup.key_file import make_key_file, parse_recipients
from autobot_ops.backup.local_place import LocalPlace
from autobot_ops.backup.manifest import RebuiltVolume, VolumeContent
from autobot_ops.backup.plan import PlannedArchive, PlannedDatabase
from autobot_ops.backup.postgres_content import PostgresContent
from autobot_ops.backup.sealing import SealingWriter
from autobot_ops.backup.stream_copy import copy_stream
from autobot_ops.backup.taking import ServerState, take_archives
from autobot_ops.rdb.stream import Endpoint, ReplicationStream

DATABASES = range(11)
# Of the benchmark's keys, only those of streams begin with an e.
_NO_STREAMS = "[^e]*"
_BATCH = 500


class Folder:
    """Files of a backup, sealed or plain, fsynced at the end."""

    def __init__(self, folder: Path, *, sealed: bool) -> None:
        self._folder = folder
        self._recipients = [pyrage.x25519.Identity.generate().to_public()] if sealed else []
        self._sealed = sealed
        self._files: list[BinaryIO] = []
        self._writers: list[SealingWriter] = []

    def open(self, number: int) -> SealingWriter | BinaryIO:
        """The output for a database."""
        file = (self._folder / f"{number}.rdb").open("wb")
        self._files.append(file)
        if not self._sealed:
            return file
        self._writers.append(SealingWriter(file, self._recipients, what=f"database {number}"))
        return self._writers[-1]

    def open_instance(self) -> SealingWriter | BinaryIO:
        """The output for what belongs to the whole instance."""
        return self.open(-1)

    def finish(self) -> None:
        """End marks, fsync of every file and of the folder."""
        for writer in self._writers:
            writer.finish()
        for file in self._files:
            file.flush()
            os.fsync(file.fileno())
            file.close()
        descriptor = os.open(self._folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def ours(port: int, folder: Path) -> None:
    """All that `inv backup --all` does with Redis: stream, seal, read back with fingerprints, commit."""
    place = LocalPlace(folder / "archives")
    keys = make_key_file(folder / "key")
    plan = [
        PlannedArchive(
            "all", tuple(PlannedDatabase(f"db{n}", n, encrypted=True) for n in DATABASES), complete=True
        )
    ]
    with place.lock():
        take_archives(
            plan,
            OneServer(port),
            place,
            Sealing(keys, parse_recipients([keys.recipient])),
            Origin("benchmark", "0", "0" * 64),
            now=lambda: datetime.now(UTC),
        )


class OneServer:
    """A Redis without a stack around it; see taking.Sources."""

    postgres_database = ""

    def __init__(self, port: int) -> None:
        self._port = port

    def describe_server(self) -> ServerState:
        """Not of interest here."""
        return ServerState("", "", "", 0)

    def open_stream(self) -> ReplicationStream:
        """Its stream."""
        return ReplicationStream(Endpoint("127.0.0.1", self._port))

    def dump_postgres(self, writer: SealingWriter) -> PostgresContent:
        """There is none."""
        raise NotImplementedError

    def volumes(self, tier: str) -> Sequence[str]:
        """There are none."""
        return ()

    def rebuilt_volumes(self, tier: str) -> Sequence[RebuiltVolume]:
        """There are none."""
        return ()

    def archive_volume(self, service: str, writer: SealingWriter) -> VolumeContent:
        """There are none."""
        raise NotImplementedError


def stream_only(port: int, folder: Path, *, sealed: bool = True) -> None:
    """As long as the server is busy with it: the stream, split into sealed files."""
    outputs = Folder(folder, sealed=sealed)
    with ReplicationStream(Endpoint("127.0.0.1", port)) as stream:
        copy_stream(stream, DATABASES, outputs.open, outputs.open_instance)
    outputs.finish()


def stream_plain(port: int, folder: Path) -> None:
    """The same into plain files."""
    stream_only(port, folder, sealed=False)


def redis_cli(port: int, folder: Path) -> None:
    """The limit: one plain file of the whole instance."""
    _run("redis-cli", "-p", str(port), "--rdb", str(folder / "all.rdb"))


def scan_and_dump(port: int, folder: Path) -> None:
    """SCAN, then DUMP and PTTL in pipelines; not one point in time."""
    for number in DATABASES:
        with redis.Redis(port=port, db=number) as client, (folder / f"{number}.dumps").open("wb") as file:
            keys: list[bytes] = []
            for key in client.scan_iter(count=_BATCH):
                keys.append(key)
                if len(keys) == _BATCH:
                    _dump(client, keys, file)
            _dump(client, keys, file)
            os.fsync(file.fileno())


def _dump(client: Any, keys: list[bytes], file: BinaryIO) -> None:
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.dump(key)
        pipeline.pttl(key)
    replies = pipeline.execute()
    for key, payload, ttl in zip(keys, replies[::2], replies[1::2], strict=True):
        for part in (key, payload or b"", b"%d" % ttl):
            file.write(len(part).to_bytes(4, "big") + part)
    keys.clear()


def temporary_replica(port: int, folder: Path) -> None:
    """A replica that is cut off; for each database it drops the others, saves, and loads all again."""
    replica_port = port + 1 if port < 65535 else port - 1
    process = subprocess.Popen(
        [
            "redis-server", "--port", str(replica_port), "--bind", "127.0.0.1", "--databases", "32",
            "--save", "", "--dir", str(folder), "--logfile", str(folder / "log"),
            "--enable-debug-command", "local", "--replicaof", "127.0.0.1", str(port),
        ],
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _cut_off_when_complete(replica_port)
        with redis.Redis(port=replica_port, socket_timeout=600) as client:
            client.save()
            shutil.copyfile(folder / "dump.rdb", folder / "all.rdb")
            for number in DATABASES:
                _save_one(client, number, folder)
    finally:
        _note_peak(process.pid)
        process.kill()
        process.wait()


def _cut_off_when_complete(port: int) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            client: Any
            with redis.Redis(port=port) as client:
                if client.info("replication")["master_link_status"] == "up":
                    client.execute_command("REPLICAOF", "NO", "ONE")
                    return
        except redis.RedisError:
            pass
        time.sleep(0.01)
    raise TimeoutError("the replica has no copy")


def _save_one(client: Any, number: int, folder: Path) -> None:
    for other in DATABASES:
        if other != number:
            client.execute_command("SWAPDB", other, 31)
            _flush(client, 31)
    client.save()
    file = folder / f"{number}.rdb"
    (folder / "dump.rdb").rename(file)
    with file.open("rb") as saved:
        os.fsync(saved.fileno())
    os.link(folder / "all.rdb", folder / "dump.rdb")
    client.execute_command("DEBUG", "RELOAD", "NOSAVE")
    (folder / "dump.rdb").unlink()


def _flush(client: Any, number: int) -> None:
    pipeline = client.pipeline(transaction=False)
    pipeline.execute_command("SELECT", number)
    pipeline.execute_command("FLUSHDB", "ASYNC")
    pipeline.execute_command("SELECT", 0)
    pipeline.execute()


def redis_dump_load(port: int, folder: Path) -> None:
    """The package's program, which `REDIS_DUMP_LOAD` names: all but the streams, which it can't do."""
    for number in DATABASES:
        _run(
            os.environ["REDIS_DUMP_LOAD"],
            "-p",
            str(port),
            "-k",
            _NO_STREAMS,
            "-d",
            str(number),
            "-o",
            str(folder / f"{number}.json"),
        )


def _run(*words: str) -> None:
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        _note_peak(process.pid)
        time.sleep(0.01)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)


_peaks: list[int] = []


def _note_peak(process_id: int) -> None:
    """Keep a program's peak while it runs: what the kernel says at its end includes us, who forked it."""
    for line in Path(f"/proc/{process_id}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            _peaks.append(int(line.split()[1]))


ARMS: dict[str, Callable[[int, Path], None]] = {
    "redis-cli --rdb": redis_cli,
    "ours, committed and verified": ours,
    "ours, the stream": stream_only,
    "ours, the stream, neither compressed nor encrypted": stream_plain,
    "SCAN + DUMP": scan_and_dump,
    "temporary replica": temporary_replica,
    "redis-dump-load, without streams": redis_dump_load,
}


def main(name: str, port: int, folder: Path) -> None:
    """Do it once."""
    began = time.perf_counter()
    ARMS[name](port, folder)
    wall = time.perf_counter() - began
    if not _peaks:
        _note_peak(os.getpid())
    print(json.dumps({"wall [s]": wall, "peak RSS [MiB]": max(_peaks) / 1024}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
