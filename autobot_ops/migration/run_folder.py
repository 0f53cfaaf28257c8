"""One migration on disk: its plans, its journal, its report; and the lock that makes it the only one.

The journal is JSON lines, only ever added to. A line `reserved` is synced before any key up to its position
is sent, so whatever a crash leaves, no key beyond the last reserved position was moved by us, and every key
before `done` was dealt with. A torn last line is passed over.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autobot_ops.migration.errors import AlreadyRunning, BroughtFromElsewhere, JournalFailed, UnknownRun
from autobot_ops.migration.plan_file import PlanFile, sync_folder
from autobot_ops.migration.routes import SOURCE_NUMBER

FOLDER = "migrations"
TRANSFERS = "transfers"
"""Runs that brought keys from another server."""

PLAN = "plan.moves"
JOURNAL = "journal.jsonl"
REPORT = "report.json"
ROLLBACK_REPORT = "rollback.json"
LOCK = "lock"
RUN_ID = re.compile(r"\d{8}T\d{6}\.\d{3}Z")

DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})

DONE, PARTLY, ROLLED_BACK, ROLLING_BACK = "done", "partly done", "rolled back", "being rolled back"


@dataclass
class PlanState:
    """How far one plan of a run is: `reserved` ≥ `done`, both positions."""

    reserved: int = 0
    done: int = 0
    moved: bool = False


@dataclass
class RunState:
    """What a journal says.

    `stayed` are the keys that a MOVE left, by (name, target's number), and why, without those that a later
    sweep moved; `not_moved` the same for each plan by itself. `displaced` are values that may have been put
    aside: the database where they are, and the one that they come from. `staging` is where keys of another
    server are loaded, `source` that server and its database.
    """

    began_at: str = ""
    ended_at: str = ""
    outcome: str = ""
    server: str = ""
    replication_ids: tuple[str, ...] = ()
    archive_id: str = ""
    staging: int | None = None
    source: str = ""
    planned: int = 0
    plans: dict[str, PlanState] = field(default_factory=dict)
    stayed: dict[tuple[bytes, int], str] = field(default_factory=dict)
    not_moved: set[tuple[str, bytes, int]] = field(default_factory=set)
    displaced: dict[tuple[bytes, int], tuple[int, int]] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether it can go on."""
        return not self.outcome

    @property
    def touched(self) -> bool:
        """Whether a key may have moved."""
        return any(plan.reserved for plan in self.plans.values())


class RunFolder:
    """The folder of one migration, by its id (a moment in UTC)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journal: int | None = None

    @property
    def id(self) -> str:
        """What the run is called."""
        return self.path.name

    @property
    def plan(self) -> Path:
        """The plan's file."""
        return self.path / PLAN

    def sweep(self, number: int) -> Path:
        """The plan of the sweep of this number, from 1."""
        return self.path / f"sweep-{number:06}.moves"

    def swept(self) -> set[int]:
        """Numbers of the databases that are known to have been written meanwhile, by what sweeps found.

        Those are their targets, and database 0, where somebody put the keys.
        """
        numbers: set[int] = set()
        for path in self.path.glob("sweep-*.moves"):
            sweep = PlanFile(path)
            numbers |= {each["database_number"] for each in sweep.facts["sections"] if each["keys"]}
            sweep.close()
        return numbers | {SOURCE_NUMBER} if numbers else numbers

    def write(self, event: str, *, sync: bool = False, **facts: object) -> None:
        """Add a line. JournalFailed where it can't be; with `sync` it is on disk when this returns."""
        line = (json.dumps({"event": event, "at": _now(), **facts}) + "\n").encode()
        try:
            if self._journal is None:
                self._journal = _open_to_add(self.path / JOURNAL)
            _write_whole(self._journal, line)
            if sync:
                os.fdatasync(self._journal)
        except OSError as error:
            raise JournalFailed(
                f"can't write the journal in {self.path}: {error.strerror}",
                hint="No key was moved that it doesn't have. Make room, and run inv migrate again.",
            ) from error

    @property
    def begun(self) -> bool:
        """Whether there is a journal."""
        return (self.path / JOURNAL).exists()

    def discard(self) -> None:
        """Remove it with all that is in it."""
        self.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def close(self) -> None:
        """Let go of the journal."""
        if self._journal is not None:
            with suppress(OSError):
                os.close(self._journal)
            self._journal = None

    def state(self) -> RunState:
        """What the journal says."""
        state = RunState()
        for line in _lines(self.path / JOURNAL):
            _apply(state, line)
        return state

    def keep_report(self, report: Mapping[str, object], name: str = REPORT) -> None:
        """Keep a report beside the journal. JournalFailed where there is no room for it."""
        with needing_room(self.path, "All else is done and in the journal. Make room for the next run."):
            (self.path / name).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def named(keys: Iterable[bytes]) -> list[str]:
    """Names for a journal line: kept byte for byte, as Latin-1."""
    return [key.decode("latin-1") for key in keys]


def new_run(state_dir: Path, moment: datetime, folder: str = FOLDER) -> RunFolder:
    """Make the folder of a new run, named by the moment."""
    path = state_dir / folder / (moment.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z")
    try:
        path.mkdir(parents=True, mode=0o700)
        sync_folder(path.parent)
    except OSError as error:
        raise JournalFailed(
            f"can't make {path}: {error.strerror}",
            hint="Nothing was moved. The state folder must be writable.",
        ) from error
    return RunFolder(path)


def all_runs(state_dir: Path, folder: str = FOLDER) -> list[RunFolder]:
    """Runs that have begun, the oldest first."""
    place = state_dir / folder
    if not place.is_dir():
        return []
    return [
        RunFolder(path)
        for path in sorted(place.iterdir())
        if RUN_ID.fullmatch(path.name) and (path / JOURNAL).exists()
    ]


def find_run(state_dir: Path, run_id: str) -> RunFolder:
    """A run inside one server by its id; "" is the newest. Raises UnknownRun, BroughtFromElsewhere."""
    runs = all_runs(state_dir)
    for run in reversed(runs):
        if run_id in {"", run.id}:
            return run
    if any(run_id == run.id for run in all_runs(state_dir, TRANSFERS)):
        raise BroughtFromElsewhere(
            f"{run_id} brought keys from another server, so there is no database 0 to take them back to",
            hint="The source has them, unless --delete-source was given.",
        )
    what = f"no migration is called '{run_id}'" if run_id else "nothing was migrated yet"
    raise UnknownRun(what, hint="inv migrate.list shows those that are known.")


@contextmanager
def needing_room(path: Path, hint: str) -> Iterator[None]:
    """JournalFailed where the disk takes no more of what is written inside, or can't be read."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        raise JournalFailed(f"can't write to {path}: {error.strerror}", hint=hint) from error


@contextmanager
def only_one(state_dir: Path) -> Iterator[None]:
    """Hold the lock, or AlreadyRunning with who does.

    A lock of the kernel on a file: it ends with its process, however that ends, so that it needs no expiry
    and a crash leaves none. It holds on one machine; two machines at once would lose nothing, since a MOVE
    hands a key over once.
    """
    folder = state_dir / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise JournalFailed(
            f"can't use {folder}: {error.strerror}", hint="Nothing was moved. The folder must be writable."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise AlreadyRunning(
                f"another migration is under way: {file.read().strip()}",
                hint="Wait until it has ended, or end it.",
            ) from error
        with needing_room(folder, "Nothing was moved. Make room there, and try again."):
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()} since {_now()}\n")
            file.flush()
        yield


def lock_holder(state_dir: Path) -> str:
    """Who holds the lock of migrations at the moment, in words; "" for nobody."""
    try:
        with (state_dir / FOLDER / LOCK).open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip()
    except FileNotFoundError:
        pass
    return ""


def _apply(state: RunState, line: Mapping[str, Any]) -> None:
    match line["event"]:
        case "began":
            state.began_at, state.server = line["at"], line["server"]
            state.replication_ids = tuple(line["replication_ids"])
            state.archive_id, state.planned = line["archive"], line["keys"]
            state.staging, state.source = line.get("staging"), line.get("source", "")
        case "reserved":
            plan = state.plans.setdefault(line["plan"], PlanState())
            plan.reserved = max(plan.reserved, line["until"])
            plan.done = max(plan.done, line["done"])
        case "moved":
            state.plans.setdefault(line["plan"], PlanState()).moved = True
        case "stayed":
            for key in line["keys"]:
                name = key.encode("latin-1")
                state.stayed[name, line["number"]] = line["reason"]
                state.not_moved.add((line["plan"], name, line["number"]))
        case "came":
            for key in line["keys"]:
                state.stayed.pop((key.encode("latin-1"), line["number"]), None)
        case "displaced":
            for key in line["keys"]:
                state.displaced[key.encode("latin-1"), line["number"]] = (line["aside"], line["origin"])
        case "ended":
            state.ended_at, state.outcome = line["at"], line["outcome"]
        case "going on":
            state.outcome = ""


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                # Torn by a crash: it was never relied on.
                continue


def _write_whole(descriptor: int, line: bytes) -> None:
    if os.write(descriptor, line) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _open_to_add(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        os.write(descriptor, b"\n")
    if not size:
        sync_folder(path.parent)
    return descriptor


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
