"""Taking a migration back: what its journal says was moved goes back into database 0, key by key.

The value that goes back is the present one, with all that was written since. MOVE overwrites nothing: where
database 0 has such a key again, both stay and it is named. Begun again after a crash, it goes through the
same keys; those that are back answer 0 and are found there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain

import hiredis

from autobot_ops.migration.comparing import CHANGED, find_differences, spool_stream
from autobot_ops.migration.connection import Connection
from autobot_ops.migration.errors import MigrationInterrupted, MoveRefused
from autobot_ops.migration.looking import Found, Inspector
from autobot_ops.migration.plan import MigrationPlan
from autobot_ops.migration.plan_file import PlanFile, unit_keys
from autobot_ops.migration.run_folder import RunFolder, RunState
from autobot_ops.migration.running import targets_of
from autobot_ops.migration.session import Session
from autobot_ops.rdb.errors import StreamRefused
from autobot_ops.rdb.stream import Endpoint, ReplicationStream

UNITS = 4
"""A window of 100 keys, one under way: others hardly notice."""

BACK, GONE, IN_THE_WAY = "back", "expired or deleted since", "its place is taken again"
FROM_ASIDE = "back from where it was put aside"
_BACK_TO_0 = b"$1\r\n0\r\n"
_MOST_NAMED = 10_000


@dataclass
class TakenBack:
    """What became of the keys, by kind, and the names of those that couldn't go back."""

    counts: Counter[str] = field(default_factory=Counter)
    named: list[tuple[bytes, int, str]] = field(default_factory=list)


def moved_plans(run: RunFolder, state: RunState) -> list[PlanFile]:
    """The plans of a run of which something may have moved, the latest first."""
    names = [name for name, plan in state.plans.items() if plan.reserved and (run.path / name).exists()]
    return [PlanFile(run.path / name) for name in sorted(names, reverse=True)]


def take_back_keys(
    endpoint: Endpoint,
    run: RunFolder,
    *,
    stop: Callable[[], bool],
    progress: Callable[[int], object],
) -> TakenBack:
    """Move back all that the journal says. Raises MigrationInterrupted, ServerLost and MoveRefused."""
    state = run.state()
    result = TakenBack()
    done = 0
    with Connection(endpoint) as main, Connection(endpoint) as other:
        inspector = Inspector(other)
        for plan in moved_plans(run, state):
            name = plan.path.name
            numbers = targets_of(MigrationPlan.model_validate(plan.facts))
            for block in plan.read(0, state.plans[name].reserved):
                number = numbers[block.place.section]
                for at in range(0, len(block.units), UNITS):
                    if stop():
                        raise MigrationInterrupted(
                            f"stopped after {done:,} keys",
                            hint=f"Go on with: inv migrate --rollback {run.id}",
                        )
                    keys = list(chain.from_iterable(map(unit_keys, block.units[at : at + UNITS])))
                    mine = [key for key in keys if (name, key, number) not in state.not_moved]
                    _return(main, inspector, mine, number, result)
                    done += len(keys)
                    progress(done)
            plan.close()
        for (key, number), (aside, origin) in state.displaced.items():
            main.select(aside)
            if main.ask("MOVE", key, origin) == 1:
                result.counts[FROM_ASIDE] += 1
            elif main.ask("EXISTS", key) == 1:
                result.counts[IN_THE_WAY] += 1
                result.named.append((key, number, IN_THE_WAY))
    return result


def keys_to_take_back(state: RunState) -> int:
    """How many keys may have been moved and can go back, by the journal."""
    return sum(plan.reserved for plan in state.plans.values()) - len(state.not_moved)


def changed_since(session: Session, run: RunFolder, state: RunState) -> list[tuple[bytes, int, str]]:
    """Keys whose value or expiry isn't what was moved, by the server's stream: they go back as they are.

    Empty where the stream isn't to be had.
    """
    plans = moved_plans(run, state)
    with_targets = [(plan, targets_of(MigrationPlan.model_validate(plan.facts))) for plan in reversed(plans)]
    if not plans:
        return []
    try:
        with ReplicationStream(session.streams) as stream:
            numbers = {number for _, targets in with_targets for number in targets}
            present = spool_stream(stream, run.path, numbers)
    except StreamRefused:
        return []
    try:
        found = find_differences(with_targets, present.spool, present.began_at)
    finally:
        present.spool.close()
        for plan in plans:
            plan.close()
    return [each for each in found.named if each[2] == CHANGED]


def _return(
    main: Connection, inspector: Inspector, keys: Sequence[bytes], number: int, result: TakenBack
) -> None:
    main.select(number)
    main.send(b"".join(b"*3\r\n$4\r\nMOVE\r\n$%d\r\n%b\r\n%b" % (len(key), key, _BACK_TO_0) for key in keys))
    left = []
    for key, reply in zip(keys, main.replies(len(keys)), strict=True):
        if isinstance(reply, hiredis.ReplyError):
            raise MoveRefused(
                f"{main.endpoint} refuses to move back: {reply}",
                hint="Repeat the command when that is cured.",
            )
        if reply == 1:
            result.counts[BACK] += 1
        else:
            left.append(key)
    kinds = {Found.BOTH: IN_THE_WAY, Found.NOWHERE: GONE, Found.TARGET: IN_THE_WAY}
    for key, found in zip(left, inspector.look(left, number), strict=True):
        kind = kinds.get(found, BACK)
        result.counts[kind] += 1
        if kind != BACK and len(result.named) < _MOST_NAMED:
            result.named.append((key, number, kind))
