"""The separation check of a live stack: look at its Redis, judge, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autobot_ops.adapters.redis_server import dialer
from autobot_ops.catalog.routing import make_router
from autobot_ops.errors import PartlyDone, ServiceUnreachable
from autobot_ops.isolation.observation import observe, sample_keys, walk_keys
from autobot_ops.isolation.separation import Finding, judge_keys, judge_server
from autobot_ops.restore.ledger import kept_by_restores
from autobot_ops.stack.stack import Stack
from autobot_ops.stack.users import plan_users


class SeparationBroken(PartlyDone):
    """The live server is not what the catalogs say."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        first, more = findings[0], len(findings) - 1
        others = f" (and {more} more)" if more else ""
        super().__init__(f"{first.subject}: {first.message}{others}", hint=first.fix)


@dataclass(frozen=True)
class SeparationReport:
    """What was looked at and what was found."""

    databases: int
    keys_looked_at: int
    full: bool
    findings: tuple[Finding, ...]

    @property
    def summary(self) -> str:
        """The report in a line."""
        how = "all" if self.full else "a sample of"
        found = f"{len(self.findings)} finding(s)" if self.findings else "nothing out of place"
        return f"{self.databases} database(s) hold keys, {how} {self.keys_looked_at:,} looked at: {found}"


def check_separation(stack: Stack, *, full: bool = False) -> SeparationReport:
    """Judge the stack's Redis by the catalogs; with `full` every key is looked at.

    Raises RedisOutOfReach or RedisUnreachable where it can't be looked at.
    """
    dial = dialer(stack, "operator")
    state = observe(dial)
    restores = kept_by_restores(dial, state.databases - 1)
    findings = list(judge_server(state, stack.catalogs, plan_users(stack), restores))
    router = make_router(stack.catalogs.databases)
    looked_at = 0

    for name, database in stack.catalogs.databases.items():
        if database.number not in state.keyspace:
            continue
        keys = list(dict.fromkeys((walk_keys if full else sample_keys)(dial, database.number)))
        looked_at += len(keys)
        findings += judge_keys(name, keys, router)
    return SeparationReport(len(state.keyspace), looked_at, full, tuple(findings))


def startup_check(stack: Stack) -> list[str]:
    """The quick check as `inv up` ends with it: a line for each finding, none if all is well.

    A check that can't be made is a line too: the stack is up, and that is what `up` was asked for.
    """
    try:
        report = check_separation(stack)
    except ServiceUnreachable as error:
        return [f"the separation of the databases was not checked: {error.message}"]
    return [f"{finding.subject}: {finding.message} (inv database.check)" for finding in report.findings]
