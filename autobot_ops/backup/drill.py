"""Load an RDB file into a throwaway Redis and read back what it holds: the restore drill.

The plain data never touches a disk of the container's host. A throwaway server lives as long as its
standard input stays open: when we end, however we end, it does too. Its container carries a label all
the same, so that one which was made and never started is found.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from autobot_ops.adapters import process
from autobot_ops.adapters.one_off import clear_leftovers
from autobot_ops.adapters.process import Child, CommandFailed
from autobot_ops.adapters.runner import Runner
from autobot_ops.errors import ExternalCommandFailed, RefusedForSafety
from autobot_ops.rdb.window import Source

LABEL = "io.autobot.drill"
CHUNK_BYTES = 4 * 1024**2
MARK_BYTES = 40
"""What redis-cli leaves behind the RDB on standard output: the replication protocol's end mark."""
READY = "eady to accept connections"
KEPT_LINES = 200

# The file comes in pieces, each with its length before it and none behind the last, so that the input can
# stay open behind it. `read` and `head` take not a byte more than theirs.
_SERVE = """
set -eu
umask 077
folder=$1 databases=$2 server=$3
cd "$folder"
trap 'rm -f dump.rdb; rmdir "$folder" 2>/dev/null || :' EXIT
exec 3<&0
while read -r size <&3 && [ "$size" -gt 0 ]; do head -c "$size" <&3; done >dump.rdb
"$server" --port 0 --unixsocket "$folder/redis.sock" --unixsocketperm 700 --dir "$folder" \
  --databases "$databases" --dbfilename dump.rdb --appendonly no --save '' --daemonize no --logfile '' \
  --replicaof 127.0.0.1 1 --repl-diskless-sync yes --repl-diskless-sync-delay 0 &
redis=$!
{ cat; kill "$redis"; } <&3 >/dev/null 2>&1 &
guard=$!
status=0
wait "$redis" || status=$?
kill "$guard" 2>/dev/null || :
exit "$status"
"""


class DoesNotLoad(RefusedForSafety):
    """The server refuses the file; the message has its reason."""


class DrillFailed(ExternalCommandFailed):
    """The throwaway server could not be started, or ended while it was read."""


@dataclass(frozen=True)
class ContainerDrill:
    """Servers in containers of the stack's own Redis image: no network, no disk, no rights.

    `memory`, in bytes, is for the file and what it becomes, `databases` how many the server has. Clears
    what runs of the same project have left.
    """

    image: str
    project: str
    memory: int
    databases: int = 32

    @contextmanager
    def reload(self, rdb: Source, /) -> Iterator[Source]:
        """What a server holds that has loaded this plain RDB, as an RDB stream; see verification.Drill.

        Keys that have expired since are there too. The server is gone at the end of the context. Raises
        DoesNotLoad and DrillFailed, the latter also while the stream is read, and what `rdb` raises.
        """
        clear_leftovers(self.project, LABEL)
        name = f"{self.project}-drill-{secrets.token_hex(4)}"
        owner = "uid=10002,gid=10002,mode=0700"
        memory = str(self.memory)
        start = (
            *("docker", "run", "--rm", "--interactive", "--pull", "never", "--name", name),
            *("--label", f"{LABEL}={self.project}", "--log-driver", "none"),
            *("--network", "none", "--read-only", "--user", "10002:10002", "--cap-drop", "ALL"),
            *("--security-opt", "no-new-privileges", "--pids-limit", "64", "--ulimit", "core=0"),
            # No swap: swapped memory is on a disk.
            *("--memory", memory, "--memory-swap", memory),
            *("--tmpfs", f"/data:rw,noexec,nosuid,nodev,size={memory},{owner}"),
            *(self.image, "sh", "-c"),
        )
        inside = Runner(("docker", "exec", name))
        try:
            with _serving(Runner(start), inside, "/data", rdb, self.databases) as stream:
                yield stream
        finally:
            # The end of its input ends it as well; this one waits for it.
            with suppress(CommandFailed):
                process.query(("docker", "rm", "--force", "--volumes", name))


@dataclass(frozen=True)
class LocalDrill:
    """Servers as processes of this host, where there is no Docker.

    While it is loaded, the file lies in a folder of mode 0700.
    """

    server: str = "redis-server"
    client: str = "redis-cli"
    databases: int = 32

    @contextmanager
    def reload(self, rdb: Source, /) -> Iterator[Source]:
        """As ContainerDrill.reload."""
        programs = {"server": self.server, "client": self.client}
        with (
            tempfile.TemporaryDirectory(prefix="autobot-drill-", ignore_cleanup_errors=True) as folder,
            _serving(Runner(("sh", "-c")), Runner(), folder, rdb, self.databases, **programs) as stream,
        ):
            yield stream


@contextmanager
def _serving(
    start: Runner,
    inside: Runner,
    folder: str,
    rdb: Source,
    databases: int,
    *,
    server: str = "redis-server",
    client: str = "redis-cli",
) -> Iterator[Source]:
    client_words = (client, "-s", f"{folder}/redis.sock")
    with start.converse(_SERVE, "drill", folder, str(databases), server) as child:
        _feed(child, rdb)
        _wait_until_loaded(child)
        inside.query("rm", "-f", f"{folder}/dump.rdb")
        # It loaded the file as a replica does, which keeps expired keys. As a master it would delete them
        # by and by, but for the pause.
        for words in (("client", "pause", "86400000", "write"), ("replicaof", "no", "one")):
            answer = inside.query(*client_words, *words).strip()
            if answer != "OK":
                raise DrillFailed(f"the throwaway server answers {answer!r} to {' '.join(words)}")
        yield _WithoutMark(inside.stream(*client_words, "--rdb", "-"))


def _feed(child: Child, rdb: Source) -> None:
    try:
        while chunk := rdb.read(CHUNK_BYTES):
            child.write(b"%d\n" % len(chunk))
            child.write(chunk)
        child.write(b"0\n")
    except CommandFailed as error:
        raise _not_started(error) from error


def _wait_until_loaded(child: Child) -> None:
    said: list[str] = []
    while not said or READY not in said[-1]:
        try:
            said = [*said[-KEPT_LINES:], child.read_line()]
        except CommandFailed as error:
            if error.status == 137:
                raise DrillFailed(
                    "the throwaway server ran out of memory while it loaded the file",
                    hint="It may take half of the engine's memory; verify where there is more.",
                ) from error
            if not said:
                raise _not_started(error) from error
            raise DoesNotLoad(
                f"redis-server refuses the file: {_reason(said)}",
                hint="Take another archive: inv backup.list. This one is kept as it is.",
            ) from error


def _reason(said: list[str]) -> str:
    """Of the server's log: its first complaint about the file. Pure."""
    telling = ("rdb", "short read", "fatal error", "db format", "corrupt")
    for line in said:
        words = line.split(" # ", maxsplit=1)[-1].strip().lstrip("-# ")
        warns = " # " in line or line.startswith("--- RDB ERROR")
        if warns and any(word in words.lower() for word in telling):
            return words.rstrip(".")
    return said[-1].strip()


def _not_started(error: CommandFailed) -> DrillFailed:
    # docker says the reason first, and last how its help is called.
    said = error.output.strip().splitlines() or [error.message]
    return DrillFailed(
        f"no throwaway redis can be started: {said[0].removeprefix('docker: ')}",
        hint="Run scripts/bootstrap; without Docker a local redis-server is needed.",
    )


class _WithoutMark:
    """redis-cli's output, read like a file, without the end mark.

    The byte before an RDB's checksum is 0xFF, which is no hexadecimal digit: so whether the last 40
    bytes are a mark is certain.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""
        self._ended = False

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end. DrillFailed where the server ended first."""
        while not self._ended and len(self._held) < size + MARK_BYTES:
            try:
                chunk = next(self._chunks, b"")
            except CommandFailed as error:
                raise DrillFailed(f"the throwaway server can't be read: {error.message}") from error
            self._held += chunk
            if not chunk:
                self._ended = True
                if set(self._held[-MARK_BYTES:]) <= set(b"0123456789abcdef"):
                    self._held = self._held[:-MARK_BYTES]
        data = self._held[:size]
        self._held = self._held[size:]
        return data
