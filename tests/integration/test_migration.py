"""An old installation's keys are moved on the live stack by the real verbs, while its agents work.

It is done once: looked at, begun, killed, resumed and repeated. The tests look at what was there at each
moment.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryFile

import httpx
import pytest

from autobot_ops.adapters.redis_server import dialer
from autobot_ops.demo.legacy_keys import legacy_commands
from autobot_ops.migration.routes import make_routes
from autobot_ops.ports import Dialer
from tests.conftest import ROOT
from tests.integration.conftest import Stack
from tests.integration.live import INV
from tests.integration.load import Load, Request, steady_load
from tests.integration.redis_contents import Contents, assert_same, of_keys, read_contents
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("own_stack")

KEYS = 2000
SECONDS = 120
SLOWLY = "400"
"""Keys a second, for the run that is killed: it would take some seconds."""
BEGUN_KEYS = 50
ASIDE = b"aside:"
REQUESTS_PER_SECOND = 10.0


@dataclass(frozen=True)
class Migrated:
    """All of Redis at each moment, what the last two runs said, and the requests meanwhile."""

    keys: set[bytes]
    before: Contents
    after_dry_run: Contents
    runs_after_dry_run: list[str]
    when_killed: Contents
    exit_code_of_killed: int
    after: Contents
    resumed: subprocess.CompletedProcess[str]
    after_repetition: Contents
    repeated: subprocess.CompletedProcess[str]
    load: Load


def seeded_keys() -> set[bytes]:
    """Names of the keys that `inv demo.seed` writes."""
    commands = legacy_commands(KEYS, now=0)
    return {str(command[1]).encode() for command in commands if command[0] not in {"XGROUP", "XREADGROUP"}}


@pytest.fixture(scope="module")
def operator(stack: Stack) -> Dialer:
    return dialer(stack.opened, "operator")


@pytest.fixture(scope="module")
def migrated(
    own_stack: Stack, operator: Dialer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Migrated]:
    """Seed, look, begin and SIGKILL, go on, do it again; agents are asked for their health all the time."""
    stack, keys = own_stack, seeded_keys()
    folder = str(tmp_path_factory.mktemp("backups"))
    with put_aside(stack, operator, keys):
        stack.inv("demo.seed", "--keys", str(KEYS), "--yes")
        with steady_load(health_requests(stack), per_second=REQUESTS_PER_SECOND) as load:
            before = read_contents(stack)
            stack.inv("migrate", "--dry-run", AUTOBOT_BACKUP_DIR=folder)
            after_dry_run, runs = read_contents(stack), run_folders(stack)
            exit_code = begin_and_kill(stack, operator, folder)
            when_killed = read_contents(stack)
            resumed = stack.inv("migrate", "--yes", "--json", AUTOBOT_BACKUP_DIR=folder)
            after = read_contents(stack)
            repeated = stack.inv("migrate", "--yes", "--json", AUTOBOT_BACKUP_DIR=folder)
            after_repetition = read_contents(stack)
        yield Migrated(
            keys=keys,
            before=before,
            after_dry_run=after_dry_run,
            runs_after_dry_run=runs,
            when_killed=when_killed,
            exit_code_of_killed=exit_code,
            after=after,
            resumed=resumed,
            after_repetition=after_repetition,
            repeated=repeated,
            load=load,
        )


@contextmanager
def put_aside(stack: Stack, operator: Dialer, keys: set[bytes]) -> Iterator[None]:
    """Have none of these keys in any database; at the end, have again what was there, and nothing else.

    The knowledge agent's own facts have the names of old ones.
    """
    numbers = [database.number for database in stack.catalogs.databases.values()]
    for number in numbers:
        with operator(number) as client:
            for key in keys & set(client.scan_iter(count=1000)):
                client.rename(key, ASIDE + key)
    try:
        yield
    finally:
        for number in numbers:
            with operator(number) as client:
                client.unlink(*keys)
                for name in list(client.scan_iter(match=ASIDE + b"*", count=1000)):
                    client.rename(name, name.removeprefix(ASIDE))


def health_requests(stack: Stack) -> list[Request]:
    return [partial(ask_for_health, stack.url(name, f"/health/{name}")) for name in stack.catalogs.agents]


def ask_for_health(url: str, client: httpx.Client) -> httpx.Response:
    return client.get(url)


def run_folders(stack: Stack) -> list[str]:
    """The migrations that have begun."""
    return [str(path) for path in (stack.state_dir / "migrations").glob("*/journal.jsonl")]


def begin_and_kill(stack: Stack, operator: Dialer, backup_dir: str) -> int:
    """Begin a slow run, and kill it when the first keys have moved; its exit code."""
    command = [INV, "migrate", "--yes", "--max-rate", SLOWLY]
    environment = {**stack.environment, "AUTOBOT_BACKUP_DIR": backup_dir}
    with operator(0) as client, TemporaryFile() as said:
        left = int(client.dbsize())
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said) as running:

            def has_begun() -> bool:
                assert running.poll() is None, f"it ended by itself: {os.pread(said.fileno(), 10_000, 0)!r}"
                return int(client.dbsize()) < left - BEGUN_KEYS

            try:
                wait_until(has_begun, "the first keys have moved", SECONDS)
            finally:
                running.kill()
            return running.wait()


def places(contents: Contents, keys: set[bytes]) -> dict[bytes, int]:
    """The number of the database in which each of the keys is."""
    return {key: number for number, held in contents.items() for key in keys & held.keys()}


@pytest.mark.obligation(25)
def test_the_dry_run_of_a_migration_writes_nothing(migrated: Migrated) -> None:
    assert places(migrated.after_dry_run, migrated.keys) == dict.fromkeys(migrated.keys, 0)
    assert_same(migrated.before, migrated.after_dry_run)
    assert migrated.runs_after_dry_run == []


@pytest.mark.obligation(25)
def test_a_killed_migration_leaves_every_key_whole_and_in_one_place(migrated: Migrated) -> None:
    assert migrated.exit_code_of_killed == -signal.SIGKILL
    found = places(migrated.when_killed, migrated.keys)
    assert 0 < sum(number != 0 for number in found.values()) < len(found)
    assert of_keys(migrated.when_killed, migrated.keys) == of_keys(migrated.before, migrated.keys)


@pytest.mark.obligation(25)
def test_the_next_run_of_a_killed_migration_resumes_it(migrated: Migrated) -> None:
    assert "going on with the migration" in migrated.resumed.stdout + migrated.resumed.stderr
    assert json.loads(migrated.resumed.stdout)["result"] == "done"


@pytest.mark.obligation(25)
def test_a_migrated_key_is_where_the_catalog_says_with_its_value_and_expiry(
    stack: Stack, migrated: Migrated
) -> None:
    routes = make_routes(stack.catalogs.databases)
    sections = {key: routes.section_of(key) for key in migrated.keys}
    wanted = {
        key: 0 if section is None else routes.sections[section].database_number
        for key, section in sections.items()
    }
    assert places(migrated.after, migrated.keys) == wanted
    held = of_keys(migrated.after, migrated.keys)
    assert held == of_keys(migrated.before, migrated.keys)
    moved_with_expiry = [key for key in held if held[key].expires_at is not None and wanted[key] != 0]
    assert len(moved_with_expiry) > 100


@pytest.mark.obligation(25)
def test_a_second_migration_moves_nothing(migrated: Migrated) -> None:
    report = json.loads(migrated.repeated.stdout)
    assert (report["result"], report["planned"], report["moved"], report["swept"]) == ("done", 0, 0, 0)
    assert places(migrated.after_repetition, migrated.keys) == places(migrated.after, migrated.keys)
    assert of_keys(migrated.after_repetition, migrated.keys) == of_keys(migrated.after, migrated.keys)


@pytest.mark.obligation(25)
def test_agents_stay_healthy_during_a_migration(migrated: Migrated) -> None:
    assert migrated.load.failures == []
    # How often depends on how fast the migration is.
    assert min(migrated.load.answered) > 1
