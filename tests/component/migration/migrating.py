"""Migrations on a test's server, in this process or in one that can be killed."""

from __future__ import annotations

import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from autobot_ops.catalog import load_catalogs
from autobot_ops.migration.routes import Routes, make_routes
from autobot_ops.migration.session import Session
from autobot_ops.rdb.fingerprint import Fingerprint
from autobot_ops.rdb.stream import Endpoint
from autobot_ops.verbs.migration_steps import Options, migrate_keys
from autobot_ops.verbs.rollback_steps import take_back
from tests.component.rdb.contents import contents, fingerprints_of
from tests.component.rdb.data_server import DataServer
from tests.component.redis_process import REPOSITORY

CATALOGS = load_catalogs(REPOSITORY)
ROUTES = make_routes(CATALOGS.databases)
YES = Options(assume_yes=True)


def session(port: int, state_dir: Path, routes: Routes = ROUTES, digest: str = CATALOGS.digest) -> Session:
    """A migration's place on a server without users."""
    endpoint = Endpoint("127.0.0.1", port)
    return Session(endpoint, endpoint, state_dir, routes, digest, range(16, 31))


def migrate(server: DataServer, state_dir: Path, options: Options = YES, **more: Any) -> None:
    """A whole migration without safety archive."""
    migrate_keys(session(server.port, state_dir, **more), options, None)


def roll_back(server: DataServer, state_dir: Path, run_id: str = "") -> None:
    """Take it back."""
    take_back(session(server.port, state_dir), YES, run_id)


def migration_process(port: int, state_dir: Path, options: Options = YES) -> BaseProcess:
    """A migration in a process of its own, begun; it shares nothing but the folder."""
    process = multiprocessing.get_context("fork").Process(
        target=migrate_keys, args=(session(port, state_dir), options, None), daemon=True
    )
    process.start()
    return process


def union(server: DataServer) -> Fingerprint:
    """Of all databases together: the same before and after exactly if each key is in one place, unchanged."""
    return sum(fingerprints_of(server).values(), Fingerprint())


def placed(server: DataServer, numbers: range = range(16)) -> dict[bytes, tuple[Any, ...]]:
    """Every key with its contents; AssertionError where one is in two databases."""
    found: dict[bytes, tuple[Any, ...]] = {}
    for number in numbers:
        here = contents(server, number)
        assert not found.keys() & here.keys()
        found |= here
    return found


def misplaced(server: DataServer, routes: Routes = ROUTES) -> list[bytes]:
    """Keys that aren't in the database that the catalog says."""
    wrong = []
    for number in range(16):
        for key in server.client(number).scan_iter(count=1000):
            section = routes.section_of(key)
            home = 0 if section is None else routes.sections[section].database_number
            if home != number:
                wrong.append(key)
    return wrong
