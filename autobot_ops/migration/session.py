"""Where a migration works: its server, its state folder, its routes; and which run is to go on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import hiredis

from autobot_ops.backup.stream_copy import CopiedStream, Progress
from autobot_ops.migration.conflicts import REPLACING, Choice, Conflicts, NowhereAside
from autobot_ops.migration.connection import Connection
from autobot_ops.migration.errors import AlreadyRunning, KeysCollide, PlanDoesNotFit
from autobot_ops.migration.looking import Found, Inspector
from autobot_ops.migration.plan import MigrationPlan
from autobot_ops.migration.plan_file import PlanFile
from autobot_ops.migration.planning import PlanMaker, Purpose
from autobot_ops.migration.routes import SOURCE_NUMBER, Routes
from autobot_ops.migration.run_folder import (
    FOLDER,
    JOURNAL,
    ROLLING_BACK,
    RUN_ID,
    RunFolder,
    all_runs,
    needing_room,
    new_run,
)
from autobot_ops.migration.running import targets_of
from autobot_ops.migration.scanning import scan_plan
from autobot_ops.migration.server import Observed, observe
from autobot_ops.migration.watching import LegacyClient, parse_clients
from autobot_ops.rdb.errors import StreamEndedEarly, StreamRefused
from autobot_ops.rdb.stream import Endpoint, ReplicationStream

ATTEMPTS = 3
NO_ROOM = "Nothing was moved. Make room there, and try again."
SAMPLED = 200
FITTING_SHARE = 0.5

CopyStream = Callable[..., CopiedStream]
"""Shape of backup.stream_copy.copy_stream."""
TakeArchives = Callable[[CopyStream], str]
"""The seam to backups: opens the server's stream, has it copied by the function that it is given, commits the
archives, and returns their ids. When it returns, they are on disk for good.
"""


@dataclass(frozen=True)
class Session:
    """One server and one state folder. `commands` is for user `migrate`, `streams` for user `backup`.

    `staging` are database numbers that replaced values may be put into.
    """

    commands: Endpoint
    streams: Endpoint
    state_dir: Path
    routes: Routes
    catalog_digest: str
    staging: Sequence[int] = ()

    def resolver(self, choice: Choice, run: RunFolder, observed: Observed) -> Conflicts:
        """What deals with collisions. Raises NowhereAside where replaced values couldn't be kept."""
        known = {aside for aside, _ in run.state().displaced.values()}
        connection = Connection(self.commands)
        aside = None
        for number in sorted(self.staging, reverse=True) if choice in REPLACING else ():
            usable = number in known or not observed.keys.get(number)
            if usable and not isinstance(connection.ask("SELECT", number), hiredis.ReplyError):
                aside = number
                break
        connection.number = -1
        if choice in REPLACING and aside is None:
            connection.close()
            raise NowhereAside(
                f"{self.commands} has no empty database above 15 to keep replaced values in",
                hint="Use --on-conflict skip, or give the server more (its setting `databases`).",
            )
        return Conflicts(connection, choice, aside, run)

    def observe(self) -> Observed:
        """Look at the server; raises CannotMove."""
        numbers = {each.database_number for each in self.routes.sections}
        with Connection(self.commands) as connection:
            return observe(connection, numbers)

    def writers(self) -> list[LegacyClient]:
        """Clients that work in database 0; not ours. None where the user may not ask."""
        with Connection(self.commands) as connection:
            listed = connection.ask("CLIENT", "LIST")
        return parse_clients(listed.decode("utf-8", "replace")) if isinstance(listed, bytes) else []

    def unfinished(self, observed: Observed) -> RunFolder | None:
        """The run on this server that was begun and neither ended nor taken back.

        A promoted replica is the server whose replica it was. Raises AlreadyRunning where a run is half taken
        back.
        """
        for run in reversed(all_runs(self.state_dir)):
            state = run.state()
            if state.outcome == ROLLING_BACK:
                raise AlreadyRunning(
                    f"the migration {run.id} is being taken back",
                    hint=f"End that first: inv migrate --rollback {run.id}",
                )
            same = state.server == str(self.commands) or set(state.replication_ids) & set(
                observed.identity.replication_ids
            )
            if state.open and same:
                return run
        return None

    def clear_garbage(self) -> None:
        """Remove what a crash left of plans that never began to move."""
        folder = self.state_dir / FOLDER
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.is_dir() and RUN_ID.fullmatch(path.name) and not (path / JOURNAL).exists():
                shutil.rmtree(path)

    def make_plan(
        self,
        observed: Observed,
        moment: datetime,
        *,
        archives: TakeArchives | None,
        may_scan: bool,
        progress: Progress,
        say: Callable[[str], object],
    ) -> tuple[RunFolder, str]:
        """Plan a new run from the stream: its folder, and the ids of the safety archives ("" for none).

        With `may_scan`, and without archives, a server that withholds its stream is scanned. What fails
        leaves no folder.
        """
        run = new_run(self.state_dir, moment)
        purpose = Purpose(run.id, observed.identity, self.catalog_digest)
        maker = PlanMaker(self.routes, run.plan, purpose)
        try:
            if archives is not None:
                with needing_room(run.path, NO_ROOM):
                    return run, archives(maker.copy)
            try:
                with needing_room(run.path, NO_ROOM):
                    self._read(maker, progress, say)
            except StreamRefused as error:
                if not may_scan:
                    raise
                say(f"{error.message}; planning with SCAN instead")
                with Connection(self.commands) as connection:
                    scan_plan(
                        connection,
                        self.routes,
                        run.plan,
                        plan_id=run.id,
                        server=observed.identity,
                        catalog_digest=self.catalog_digest,
                        progress=lambda keys: progress(0, keys),
                    ).close()
        except BaseException:
            with suppress(OSError):
                shutil.rmtree(run.path)
            raise
        return run, ""

    def _read(self, maker: PlanMaker, progress: Progress, say: Callable[[str], object]) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with ReplicationStream(self.streams) as stream:
                    maker.copy(stream, progress=progress)
            except StreamEndedEarly as error:
                if attempt == ATTEMPTS:
                    raise
                say(f"{error.message}; once more")
            else:
                return

    def adopt_plan(self, path: Path, moment: datetime) -> RunFolder:
        """Begin a run with a plan that was saved before. Raises InvalidPlanFile."""
        plan = PlanFile(path)
        plan.check()
        plan.close()
        run = new_run(self.state_dir, moment)
        try:
            with needing_room(run.path, NO_ROOM):
                shutil.copyfile(path, run.plan)
        except BaseException:
            run.discard()
            raise
        return run

    def check_routes(self, facts: MigrationPlan) -> None:
        """PlanDoesNotFit where sweeps would route keys in another way than the plan did."""
        if facts.routes != tuple(self.routes.router.patterns):
            raise PlanDoesNotFit(
                "the plan was made with other routes (--route, --rules, or a search index's prefixes)",
                hint="Give the same ones, or make a new plan: inv migrate --dry-run",
            )

    def check_fit(self, plan: PlanFile, facts: MigrationPlan, observed: Observed) -> None:
        """PlanDoesNotFit where the plan was made for another server, catalog, or data that is gone.

        A restart gives a server another run id, so what counts then is whether the plan's keys are there.
        """
        if facts.catalog_digest != self.catalog_digest:
            raise PlanDoesNotFit(
                "the catalogs have changed since the plan was made",
                hint="Make a new plan: inv migrate --dry-run",
            )
        same = observed.identity.run_id == facts.server.run_id or set(
            observed.identity.replication_ids
        ) & set(facts.server.replication_ids)
        found = self._sample(plan, facts)
        if found < (FITTING_SHARE if same else 1 - (1 - FITTING_SHARE) / 5):
            raise PlanDoesNotFit(
                f"of the plan's keys {found:.0%} are on {self.commands}: "
                "it was made for another server or other data",
                hint="Make a new plan for this server: inv migrate --dry-run",
            )

    def _sample(self, plan: PlanFile, facts: MigrationPlan) -> float:
        """The share of some of the plan's keys that are in database 0 or in their target."""
        numbers = targets_of(facts)
        looked = there = 0
        with Connection(self.commands) as connection:
            inspector = Inspector(connection)
            step = max(1, len(plan.blocks) // 20)
            for place in plan.blocks[::step]:
                keys = list(plan.read_block(place).names())
                some = keys[:: max(1, len(keys) // (SAMPLED // 20))]
                found = inspector.look(some, numbers[place.section])
                looked += len(some)
                there += sum(each is not Found.NOWHERE for each in found)
        return there / looked if looked else 1.0


def refuse_collisions(facts: MigrationPlan) -> None:
    """KeysCollide where the plan saw keys whose target holds another value."""
    if facts.differing:
        names = [example for each in facts.collisions for example in each.examples][:3]
        raise KeysCollide(
            f"{facts.differing:,} keys of database {SOURCE_NUMBER} exist in their target with another value, "
            f"such as {', '.join(names)}",
            hint="Nothing was moved. Choose with --on-conflict skip, replace or keep-newer.",
        )
