"""One migration from its plan to its verified end: moving, sweeping, verifying.

Everything that it did is in the run's journal before the server hears of it; `Run.go` may be called again
after any end.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from autobot_ops.migration.comparing import Differences, find_differences, spool_stream
from autobot_ops.migration.connection import Connection
from autobot_ops.migration.looking import Found
from autobot_ops.migration.moving import Moved, Mover, Resolver
from autobot_ops.migration.pace import Pace
from autobot_ops.migration.plan import MigrationPlan
from autobot_ops.migration.plan_file import PlanFile
from autobot_ops.migration.routes import SOURCE_NUMBER, Routes
from autobot_ops.migration.run_folder import PlanState, RunFolder, named
from autobot_ops.migration.scanning import scan_plan
from autobot_ops.migration.verifying import DatabaseVerdict, compare, expected_prints
from autobot_ops.rdb.stored_prints import read_stored_prints
from autobot_ops.rdb.stream import Endpoint, ReplicationStream

MOST_SWEEPS = 20
"""A sweep that still moves something after so many is somebody who goes on writing: --watch is for that."""


@dataclass
class Outcome:
    """What a run has done; seconds by phase."""

    moved: int = 0
    swept: int = 0
    sweeps: int = 0
    found: Counter[Found] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    verdicts: list[DatabaseVerdict] = field(default_factory=list)
    verified: bool = False
    differences: Differences | None = None


@dataclass(frozen=True)
class Telling:
    """Whom a run tells how far it is: keys of the plan, and the pace; and remarks."""

    moving: Callable[[int, Pace], object] = lambda _done, _pace: None
    verifying: Callable[[int], object] = lambda _bytes: None
    say: Callable[[str], object] = lambda _text: None


class Run:
    """Carries out the plan in a run's folder."""

    def __init__(
        self,
        folder: RunFolder,
        routes: Routes,
        commands: Endpoint,
        pace: Pace,
        *,
        resolver: Resolver | None = None,
        stop: Callable[[], bool] = lambda: False,
        telling: Telling | None = None,
    ) -> None:
        self.folder = folder
        self._routes = routes
        self._commands = commands
        self.pace = pace
        self._stop = stop
        self._telling = telling or Telling()
        self._resolver = resolver
        self.plan = PlanFile(folder.plan)
        self.facts = MigrationPlan.model_validate(self.plan.facts)
        self.outcome = Outcome()

    def close(self) -> None:
        """Let go of files."""
        self.plan.close()

    def move(self) -> None:
        """Move what the plan and earlier sweeps have left, then sweep until a pass moves nothing.

        Raises MigrationInterrupted, ServerLost, MoveRefused, JournalFailed; the journal knows how far.
        """
        states = self.folder.state().plans
        self.outcome.seconds["moving"] = self._timed(partial(self._move_plans, states))
        self.outcome.seconds["sweeping"] = self._timed(self.sweep_until_quiet)

    def _move_plans(self, states: dict[str, PlanState]) -> None:
        with self._mover() as mover:
            self.outcome.moved += self._move(mover, self.plan, states, self.outcome.found)
            for path in sorted(self.folder.path.glob("sweep-*.moves")):
                sweep = PlanFile(path)
                self.outcome.swept += self._move(mover, sweep, states, self.outcome.found)
                sweep.close()
                self.outcome.sweeps += 1

    def _move(self, mover: Mover, plan: PlanFile, states: dict[str, PlanState], found: Counter[Found]) -> int:
        state = states.get(plan.path.name, PlanState())
        if state.moved:
            return 0
        facts = MigrationPlan.model_validate(plan.facts)
        result = mover.move(plan, targets_of(facts), self.folder, state.done)
        found.update(result.found)
        return result.moved

    def sweep_until_quiet(self) -> None:
        """Sweep database 0 until a pass moves nothing."""
        for _ in range(MOST_SWEEPS):
            if not self.sweep().moved:
                return
        self._telling.say("keys are still being written into database 0; inv migrate --watch says by whom")

    def sweep(self) -> Moved:
        """One pass over database 0."""
        path = self.folder.sweep(len(list(self.folder.path.glob("sweep-*.moves"))) + 1)
        with Connection(self._commands) as connection:
            plan = scan_plan(
                connection,
                self._routes,
                path,
                plan_id=self.folder.id,
                server=self.facts.server,
                catalog_digest=self.facts.catalog_digest,
            )
        try:
            if not plan.keys:
                path.unlink()
                return Moved()
            numbers = targets_of(MigrationPlan.model_validate(plan.facts))
            with self._mover() as mover:
                result = mover.move(plan, numbers, self.folder)
            self._note_arrivals(plan, numbers)
        finally:
            plan.close()
        self.outcome.sweeps += 1
        self.outcome.swept += result.moved
        return result

    def _note_arrivals(self, plan: PlanFile, numbers: Sequence[int]) -> None:
        """Keys that stayed when they were first to move, and were moved by this sweep."""
        state = self.folder.state()
        for block in plan.read() if state.stayed else ():
            number = numbers[block.place.section]
            came = [
                key
                for key in block.names()
                if (key, number) in state.stayed and (plan.path.name, key, number) not in state.not_moved
            ]
            if came:
                self.folder.write("came", number=number, keys=named(came))

    def verify(self, streams: Endpoint) -> None:
        """Compare a second stream with what the plan says, and where they differ, a third one by values.

        Raises as ReplicationStream and Reader do.
        """
        self.outcome.seconds["verifying"] = self._timed(partial(self._verify, streams))

    def _verify(self, streams: Endpoint) -> None:
        with ReplicationStream(streams) as stream:
            found, began_at = read_stored_prints(stream)
        if self._agree(compare(expected_prints(self.facts, stored=True), found, began_at)):
            return
        # Written by others, or stored in another way than before: values tell.
        self._telling.say("entries differ; comparing values in another stream")
        numbers = targets_of(self.facts)
        with ReplicationStream(streams) as stream:
            present = spool_stream(stream, self.folder.path, {SOURCE_NUMBER, *numbers})
        try:
            expected = expected_prints(self.facts, stored=False)
            if self._agree(compare(expected, present.prints, present.began_at)):
                return
            plans = [(self.plan, numbers)]
            for path in sorted(self.folder.path.glob("sweep-*.moves")):
                sweep = PlanFile(path)
                plans.append((sweep, targets_of(MigrationPlan.model_validate(sweep.facts))))
            self.outcome.differences = find_differences(plans, present.spool, present.began_at)
        finally:
            present.spool.close()

    def _agree(self, verdicts: list[DatabaseVerdict]) -> bool:
        self.outcome.verdicts = verdicts
        self.outcome.verified = all(each.agrees for each in verdicts)
        return self.outcome.verified

    def _mover(self) -> Mover:
        return Mover(
            self._commands,
            self.pace,
            resolver=self._resolver,
            stop=self._stop,
            progress=self._telling.moving,
        )

    def _timed(self, work: Callable[[], object]) -> float:
        began = time.monotonic()
        work()
        return time.monotonic() - began


def targets_of(facts: MigrationPlan) -> Sequence[int]:
    """The database numbers of a plan's sections, in their order."""
    return [section.database_number for section in facts.sections]
