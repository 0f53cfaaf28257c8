"""Writing: load into staging, compare there, hand over with MOVE, deal with what was in the way.

A target's database gets a key whole and compared, or not at all: until the first MOVE nothing was written
that an application reads, and a MOVE overwrites nothing. A crash leaves keys in staging, where the next run
finds them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

from autobot_ops.migration.conflicts import REPLACING, Choice, Conflicts
from autobot_ops.migration.connection import Connection, Word
from autobot_ops.migration.errors import MigrationInterrupted, MoveRefused
from autobot_ops.migration.looking import Found, Inspector
from autobot_ops.migration.plan import shown
from autobot_ops.migration.routes import Routes
from autobot_ops.migration.run_folder import RunFolder
from autobot_ops.migration.scanning import SCAN_COUNT
from autobot_ops.restore.loading import WHOLE_BYTES, Loaded, load, load_whole
from autobot_ops.restore.pace import Pace
from autobot_ops.restore.pipe import CommandPipe
from autobot_ops.transfer.errors import AGAIN, UNTOUCHED, StagedDiffers
from autobot_ops.transfer.fetching import LocalCopy
from autobot_ops.transfer.survey import Content, Fate, Fates, KeySet, is_over, look, meet, named
from autobot_ops.transfer.target import Target, marker

IN_PIECES = -1
"""No value is small enough to go by RESTORE."""

NO_COMMANDS = "no commands write it as it is: a stream that is empty, or awaits answers to deleted messages"

Progress = Callable[[int], object]


@dataclass
class Brought:
    """What was done. `left` are keys that were not brought, and why; names are whole."""

    loaded: int = 0
    in_pieces: int = 0
    moved: int = 0
    left: dict[bytes, str] = field(default_factory=dict)
    found: Counter[Found] = field(default_factory=Counter)
    slowest_ping: float = 0.0


@dataclass(frozen=True)
class Work:
    """One run: what is brought, from which copy, through which staging database."""

    target: Target
    routes: Routes
    copy: LocalCopy
    content: Content
    fates: Fates
    staging: int
    run: RunFolder
    choice: Choice
    stop: Callable[[], bool] = lambda: False

    def is_brought(self, key: bytes) -> bool:
        """Whether a key of the copy is to go to a target in this run."""
        if self.routes.section_of(key) is None or key in self.fates.sets[Fate.DONE]:
            return False
        return self.choice in REPLACING or key not in self.fates.sets[Fate.CONFLICT]

    def number_of(self, key: bytes) -> int | None:
        """The target of a key."""
        section = self.routes.section_of(key)
        return None if section is None else self.routes.sections[section].database_number


def load_into_staging(work: Work, brought: Brought, *, whole: bool, progress: Progress) -> None:
    """Load what isn't in staging yet; `whole`: RESTORE is possible. Raises as restore.loading; on Ctrl-C."""
    if len(work.fates.stale):
        work.target.remove_staged(work.staging, work.fates.stale.__contains__)
    staged = work.fates.sets[Fate.STAGED]

    def wanted(key: bytes) -> bool:
        if work.stop():
            raise MigrationInterrupted("interrupted while keys were loaded", hint=f"{UNTOUCHED} {AGAIN}")
        return work.is_brought(key) and key not in staged

    def report(loaded: Loaded) -> None:
        progress(loaded.keys)

    with work.copy.open() as source, CommandPipe(work.target.loading, work.staging, Pace()) as pipe:
        loaded = load(
            source,
            pipe,
            work.target.clock(),
            wanted=wanted,
            whole_bytes=WHOLE_BYTES if whole else IN_PIECES,
            report=report,
        )
        brought.loaded, brought.in_pieces = loaded.keys, loaded.in_pieces
        brought.slowest_ping = pipe.slowest_ping
    if not loaded.incomplete:
        return
    if whole:
        with work.copy.open() as source, CommandPipe(work.target.loading, work.staging, Pace()) as pipe:
            load_whole(source, pipe, loaded.incomplete)
        return
    work.target.remove_staged(work.staging, loaded.incomplete.__contains__)
    for key in loaded.incomplete:
        brought.left[key] = NO_COMMANDS


def compare_staging(work: Work, brought: Brought) -> None:
    """Read staging back by the target's stream. StagedDiffers where it isn't what the source holds."""
    sets = work.fates.sets
    elsewhere = [KeySet(map(hash, brought.left)), sets[Fate.DONE]]
    if work.choice not in REPLACING:
        elsewhere.append(sets[Fate.CONFLICT])

    def place(name: int, _number: int) -> int | None:
        return None if any(each.has(name) for each in elsewhere) else work.staging

    found = look(work.target.session.streams, [work.staging], work.content.version, work.run.path)
    with closing(found):
        met = meet(work.content, found, place)
        wrong = KeySet(name for name, _, digest, present in met if present != digest)
    now = work.target.clock()()
    names = [key for key, expiry in named(work.copy, wrong) if not is_over(expiry, now)]
    if names:
        raise StagedDiffers(
            f"{len(names):,} keys aren't in staging {work.staging} as the source has them, "
            f"such as {', '.join(shown(key) for key in names[:3])}",
            hint=f"{UNTOUCHED} What was loaded was thrown away. Did anybody write to the staging database?",
        )


def hand_over(work: Work, brought: Brought, *, aside: int | None, progress: Progress) -> None:
    """MOVE everything from staging to its target, then deal with what couldn't. Staging is empty afterwards.

    Raises MigrationInterrupted, ServerLost and MoveRefused; what isn't in its target by then is in staging.
    """
    refused: list[tuple[bytes, int]] = []
    sent, own = 0, marker(work.run.id)
    commands = work.target.session.commands
    with Connection(commands, work.staging) as walk, CommandPipe(commands, work.staging, Pace()) as pipe:
        cursor: Word = b"0"
        while True:
            reply = walk.ask("SCAN", cursor, "COUNT", SCAN_COUNT)
            if not isinstance(reply, list):
                raise MoveRefused(
                    f"{commands} refuses SCAN: {reply}",
                    hint=f"inv database.reload brings rights in line. {AGAIN}",
                )
            cursor, names = reply
            for name in names:
                number = work.number_of(name)
                if number is not None and name != own:
                    pipe.send((b"MOVE", name, number), partial(_note_refusal, refused, name, number))
                    sent += 1
            pipe.finish()
            progress(sent - len(refused))
            if work.stop():
                raise MigrationInterrupted("interrupted while keys were handed over", hint=AGAIN)
            if cursor == b"0":
                break
        brought.slowest_ping = max(brought.slowest_ping, pipe.slowest_ping)
    brought.moved += sent - len(refused)
    _resolve(work, brought, refused, aside)


def _note_refusal(refused: list[tuple[bytes, int]], key: bytes, number: int, reply: object) -> None:
    if reply != 1:
        refused.append((key, number))


def _resolve(work: Work, brought: Brought, refused: Sequence[tuple[bytes, int]], aside: int | None) -> None:
    """Keys that MOVE left: gone from staging, equal to the target's, or in conflict with them."""
    give_up: set[bytes] = set()
    with Connection(work.target.session.commands) as connection:
        conflicts = Conflicts(connection, work.choice, aside, work.run, source=work.staging)
        inspector = Inspector(connection, source=work.staging)
        for key, number in refused:
            if inspector.look([key], number)[0] is not Found.BOTH:
                continue  # SCAN showed it twice, or its time is over
            (found,) = conflicts.resolve([key], number)
            brought.found[found] += 1
            if found is Found.REPLACED:
                brought.moved += 1
                continue
            give_up.add(key)
            if found is not Found.EQUAL:
                brought.left[key] = found.value
    if give_up:
        # The source has them still, or they are in the target.
        work.target.remove_staged(work.staging, give_up.__contains__)
