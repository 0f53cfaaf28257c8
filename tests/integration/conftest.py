"""One stack for all integration tests: a project name, ports, secrets and volumes of its own.

A test that only looks asks for `stack`; one that changes anything asks for `own_stack`, itself or through a
fixture. `--against NAME` runs the first kind on a stack that is there already; `--keep` leaves the session's
own stack running for a look, and `--reuse NAME` takes such a one for the session's own, without removing it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

from autobot_ops.catalog import load_catalogs
from tests.conftest import ROOT
from tests.integration import live
from tests.integration.evidence import evidence
from tests.integration.live import Stack, run_inv
from tests.integration.obligation_report import Results, numbers_of, render_report
from tests.session_stack import session_stack

__all__ = ["Stack", "run_inv"]

RESULTS = pytest.StashKey[Results]()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, root: Path) -> Iterator[Stack]:
    """A running stack to look at: the one of `--against`, else this session's own."""
    option = request.config.getoption
    with session_stack(request.config, root, option("--against") or option("--reuse")) as running:
        yield running


@pytest.fixture(scope="session")
def own_stack(stack: Stack) -> Stack:
    """The same stack, which the test may change: it was made by this session."""
    return stack


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Stop nothing before the end, and against an existing stack keep what only looks at it."""
    items.sort(key=lambda item: item.get_closest_marker("disruptive") is not None)
    if config.getoption("--against") is not None:
        keep_only(config, items, only_looks)
    if (numbers := config.getoption("--obligation")) is not None:
        keep_only(config, items, lambda item: bool(set(numbers_of(item)) & set(numbers)))
    config.stash[RESULTS] = Results.of(items)


def keep_only(config: pytest.Config, items: list[pytest.Item], wanted: Callable[[pytest.Item], bool]) -> None:
    """Deselect the others, which pytest counts."""
    others = [item for item in items if not wanted(item)]
    items[:] = [item for item in items if wanted(item)]
    config.hook.pytest_deselected(items=others)


def only_looks(item: pytest.Item) -> bool:
    """Whether a test looks at the running stack and at nothing that it made itself."""
    fixtures = getattr(item, "fixturenames", ())
    return "stack" in fixtures and "own_stack" not in fixtures


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture is made."""
    live.PERMISSION.granted = "own_stack" in getattr(item, "fixturenames", ())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """Fixtures of a whole module put back what they changed after the last test, whichever that is."""
    live.PERMISSION.granted = True


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Count results by obligation, and attach what the containers say to a failure, in a fixture too."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()  # type: ignore[attr-defined]
    if (results := item.config.stash.get(RESULTS, None)) is not None:
        results.count(report.nodeid, report.outcome, report.when)
    running = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(running, Stack):
        report.sections += evidence(running.containers())


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """What became of each obligation."""
    if (results := config.stash.get(RESULTS, None)) is not None and (lines := render_report(results)):
        terminalreporter.section("obligations of the live stack")
        terminalreporter.write_line("\n".join(lines))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Cover every agent, database, role and service of the catalogs without naming them in a test."""
    catalogs = load_catalogs(ROOT)
    for argument, values in (
        ("agent_name", list(catalogs.agents)),
        ("database_name", list(catalogs.databases)),
        ("role_name", [name for name, agent in catalogs.agents.items() if agent.postgres]),
        ("service_name", list(live.service_names(catalogs))),
    ):
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, values)
