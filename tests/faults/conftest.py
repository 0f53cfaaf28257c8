"""A stack of its own for the faults, those who write to it, and the table of what was seen.

`--keep` leaves it running, `--reuse NAME` takes such a one again. A failure has the containers' last words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

from autobot_ops.adapters.redis_server import dialer
from tests.faults.fault import Fault, Outcome, go_through, shortcomings
from tests.faults.ledger import Ledger, Writer
from tests.faults.table import COLUMNS, complete, row
from tests.faults.writers import ChatWriter, KnowledgeWriter, NpuWriter, RagWriter, RedisWriter
from tests.integration import live
from tests.integration.evidence import evidence
from tests.integration.live import Stack
from tests.session_stack import session_stack
from tests.verification import markdown_table, record

Survive = Callable[..., Outcome]
OUTCOMES = pytest.StashKey[list[Outcome]]()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, root: Path) -> Iterator[Stack]:
    """A stack of the session's own, with every service healthy."""
    live.PERMISSION.granted = True
    with session_stack(request.config, root, request.config.getoption("--reuse")) as running:
        yield running


@pytest.fixture
def writers(stack: Stack) -> list[Writer]:
    """One for each way into the stack that acknowledges a write."""
    return [
        ChatWriter(stack.url("chat", "")),
        KnowledgeWriter(stack.url("knowledge", "")),
        RagWriter(stack.url("rag", "")),
        NpuWriter(stack.url("npu", "")),
        # Looked up for each connection: a container that starts anew may have another address.
        RedisWriter(lambda: dialer(stack.opened, "chat")(stack.catalogs.databases["agents"].number)),
    ]


@pytest.fixture
def survive(request: pytest.FixtureRequest, stack: Stack, writers: list[Writer]) -> Survive:
    """Go through a fault, keep what was seen of it, and fail for what it owes."""

    def go(fault: Fault, *, on: Stack = stack, writing: Sequence[Writer] = writers) -> Outcome:
        ledger = Ledger(writing)
        outcome = go_through(on, fault, ledger)
        request.config.stash[OUTCOMES].append(outcome)
        owed = shortcomings(fault, outcome)
        assert not owed, "; ".join(owed) + "\n" + ledger.words()
        return outcome

    return go


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Attach what the containers say to a failure."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()  # type: ignore[attr-defined]
    running = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(running, Stack):
        report.sections += evidence(running.containers())


def pytest_configure(config: pytest.Config) -> None:
    """A place for what the tests saw."""
    config.stash[OUTCOMES] = []


def pytest_terminal_summary(
    terminalreporter: TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """The table; with `--record` also in docs/verification.md, if it is of a whole run that passed."""
    outcomes = config.stash[OUTCOMES]
    if not outcomes:
        return
    table = markdown_table(COLUMNS, [row(each) for each in outcomes])
    terminalreporter.section("faults")
    terminalreporter.write_line(table)
    if not config.getoption("--record"):
        return
    partial = config.option.keyword or config.option.markexpr or any("::" in each for each in config.args)
    if exitstatus or partial:
        terminalreporter.write_line("not recorded: only a whole run that passed is")
    else:
        record("faults", complete(table, outcomes))
