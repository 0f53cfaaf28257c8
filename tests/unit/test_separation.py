"""The judgement of a server's state."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from autobot_ops.catalog import Catalogs, load_catalogs
from autobot_ops.catalog.routing import make_router
from autobot_ops.isolation.observation import KeyspaceFigures, ServerState
from autobot_ops.isolation.separation import Finding, Severity, judge_keys, judge_server

HEALTHY = ServerState(
    version="7.0.15",
    databases=32,
    maxmemory=1000,
    maxmemory_policy="noeviction",
    used_memory=100,
    keyspace={0: KeyspaceFigures(5, 1), 6: KeyspaceFigures(10, 10)},
    connections={6: 3},
)


@pytest.fixture
def catalogs(root: Path) -> Catalogs:
    return load_catalogs(root)


def test_a_healthy_server_has_no_findings(catalogs: Catalogs) -> None:
    assert list(judge_server(HEALTHY, catalogs, ())) == []


@pytest.mark.parametrize(
    ("change", "severity", "subject", "message"),
    [
        (
            {"keyspace": {12: KeyspaceFigures(4, 0)}},
            "error",
            "number 12",
            "4 keys in a database that the catalog",
        ),
        (
            {"keyspace": {30: KeyspaceFigures(4, 0)}},
            "warning",
            "number 30",
            "a staging database holds 4 keys",
        ),
        ({"maxmemory": 0}, "error", "server", "maxmemory is not set"),
        ({"maxmemory_policy": "allkeys-lru"}, "error", "server", "eviction policy allkeys-lru"),
        (
            {"keyspace": {6: KeyspaceFigures(100_001, 0)}},
            "warning",
            "sessions",
            "keys: 100001, the alert is at 100000",
        ),
        ({"connections": {6: 16}}, "warning", "sessions", "connections: 16, the alert is at 15"),
    ],
)
def test_finds(
    catalogs: Catalogs, change: dict[str, object], severity: str, subject: str, message: str
) -> None:
    (finding,) = judge_server(dataclasses.replace(HEALTHY, **change), catalogs, ())  # type: ignore[arg-type]
    assert (finding.severity, finding.subject) == (severity, subject)
    assert finding.message.startswith(message)
    assert finding.fix


def test_names_the_restore_that_keeps_a_staging_database(catalogs: Catalogs) -> None:
    state = dataclasses.replace(HEALTHY, keyspace={16: KeyspaceFigures(4, 0)})
    (finding,) = judge_server(state, catalogs, (), {16: "sessions"})
    assert "'sessions'" in finding.message
    assert "inv restore.undo sessions" in finding.fix


def test_the_ledger_of_restores_is_no_staging_database(catalogs: Catalogs) -> None:
    state = dataclasses.replace(HEALTHY, keyspace={31: KeyspaceFigures(1, 0)})
    assert not list(judge_server(state, catalogs, ()))


def test_a_user_with_other_rights_and_an_unknown_user_are_found(catalogs: Catalogs) -> None:
    changes = [("ACL", "SETUSER", "chat", "reset", "on"), ("ACL", "DELUSER", "guest")]
    found = [(finding.subject, finding.message) for finding in judge_server(HEALTHY, catalogs, changes)]
    assert found == [
        ("user chat", "its rights differ from the catalogs"),
        ("user guest", "the catalogs don't know it"),
    ]


def test_memory_above_the_alert_is_found_for_each_database(catalogs: Catalogs) -> None:
    found = list(judge_server(dataclasses.replace(HEALTHY, used_memory=810), catalogs, ()))
    assert {finding.subject for finding in found} == set(catalogs.databases)


def test_a_stray_key_is_named_with_its_database(catalogs: Catalogs) -> None:
    router = make_router(catalogs.databases)
    findings = list(judge_keys("main", [b"cache:1", b"session:9", b"session:8", b"odd"], router))
    assert findings == [
        Finding(
            Severity.ERROR,
            "main",
            "2 key(s) of 'sessions', such as 'session:9', 'session:8'",
            "Move them to 'sessions', or delete them, in: inv database.cli main",
        ),
        Finding(
            Severity.WARNING,
            "main",
            "1 key(s) that no database claims, such as 'odd'",
            "Add a pattern to 'main' in config/redis-databases.yaml, or delete them.",
        ),
    ]
