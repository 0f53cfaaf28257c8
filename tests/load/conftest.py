"""A stack of its own under a steady load, and the tables of what was measured.

`--seconds N` says for how long (at most 900); `--keep` leaves the stack running, `--reuse NAME` takes such a
one again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

from tests.integration import live
from tests.integration.live import Stack
from tests.load.endpoints import all_endpoints
from tests.load.memory import Sample, watched_memory
from tests.load.page import served_page
from tests.load.tables import render
from tests.load.traffic import Answers, drive
from tests.session_stack import session_stack
from tests.verification import record

DEFAULT_SECONDS = 90
MOST_SECONDS = 900
WARM_UP_SECONDS = 20.0


@dataclass(frozen=True)
class Measured:
    """One run: how long, what the endpoints answered, and the memory of the containers meanwhile."""

    seconds: float
    rates: dict[str, float]
    answers: dict[str, Answers]
    memory: dict[str, list[Sample]]
    limits: dict[str, int]


MEASURED = pytest.StashKey[Measured]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long."""
    parser.addoption("--seconds", type=int, default=DEFAULT_SECONDS, help="of load, after the warm-up")


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, root: Path) -> Iterator[Stack]:
    """A stack of the session's own, with every service healthy."""
    live.PERMISSION.granted = True
    with session_stack(request.config, root, request.config.getoption("--reuse")) as running:
        yield running


@pytest.fixture(scope="session")
def measured(request: pytest.FixtureRequest, stack: Stack) -> Measured:
    """The load, once for all tests. What happens in the warm-up isn't counted."""
    seconds = request.config.getoption("--seconds")
    if not 0 < seconds <= MOST_SECONDS:
        pytest.exit(f"--seconds is between 1 and {MOST_SECONDS}", 4)
    with served_page(stack) as page:
        endpoints = all_endpoints(stack.url, page)
        asyncio.run(drive(endpoints, WARM_UP_SECONDS))
        containers = stack.containers()
        with watched_memory(containers) as memory:
            answers = asyncio.run(drive(endpoints, seconds))
    limits = {str(each.name): int(each.attrs["HostConfig"]["Memory"]) for each in containers}
    rates = {endpoint.name: endpoint.per_second for endpoint in endpoints}
    found = Measured(seconds, rates, answers, memory, limits)
    request.config.stash[MEASURED] = found
    return found


def pytest_terminal_summary(
    terminalreporter: TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """The tables; with `--record` also in docs/verification.md, if all passed."""
    if (found := config.stash.get(MEASURED, None)) is None:
        return
    text = render(found.seconds, WARM_UP_SECONDS, found.rates, found.answers, found.memory, found.limits)
    terminalreporter.section("load")
    terminalreporter.write_line(text)
    if config.getoption("--record"):
        if exitstatus:
            terminalreporter.write_line("not recorded: only a run that passed is")
        else:
            record("load", text)
