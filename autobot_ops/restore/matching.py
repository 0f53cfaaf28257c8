"""Exchanging single keys between a live database and staging: what `--match` does instead of SWAPDB.

MOVE hands a key over, whatever its size. Keys are exchanged in groups, each in one transaction: the live
ones go to `former`, the archive's come from `staging`, and so does the group's marker, a key that says
afterwards that the group was exchanged. The names of all keys are in the ledger before the first one
moves. So a crash leaves each group either old or new, and `take_back` knows which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from autobot_ops.restore.ledger import NAMES_AT_ONCE, Ledger, Record
from autobot_ops.restore.server import RestoreServer, answering

AT_ONCE = 100
"""Keys of a group: some 0.2 ms in which nobody else is served."""


def prepare(server: RestoreServer, ledger: Ledger, record: Record) -> list[bytes]:
    """Write the names of all keys in staging into the ledger, and make a marker for each group of them."""
    names: list[bytes] = []
    with server.client(record.staging) as client:
        names.extend(dict.fromkeys(client.scan_iter(count=1000)))
        for start in range(0, len(names), NAMES_AT_ONCE):
            ledger.note_names(record, names[start : start + NAMES_AT_ONCE])
        pipe = client.pipeline(transaction=False)
        for index, _ in _groups(names):
            pipe.set(_marker(record, index), b"")
        pipe.execute()
    return names


def exchange(server: RestoreServer, record: Record, names: Sequence[bytes]) -> None:
    """Exchange these keys, which `prepare` gave."""
    with answering(server.migrate, record.number) as client:
        for index, group in _groups(names):
            _transaction(
                client,
                (record.number, record.kept_in, group),
                (record.staging, record.number, group),
                (record.staging, record.kept_in, [_marker(record, index)]),
            )


def take_back(server: RestoreServer, record: Record, names: Sequence[bytes]) -> None:
    """The reverse, for every group that was exchanged; may be repeated after a crash."""
    with answering(server.migrate, record.kept_in) as client:
        for index, group in _groups(names):
            marker = _marker(record, index)
            client.execute_command("SELECT", record.kept_in)
            if client.exists(marker):
                _transaction(
                    client,
                    (record.number, record.staging, group),
                    (record.kept_in, record.number, group),
                    (record.kept_in, record.staging, [marker]),
                )


def _transaction(client: Any, *moves: tuple[int, int, Sequence[bytes]]) -> None:
    """Move keys from a database to another, all at one stroke."""
    pipe = client.pipeline(transaction=True)
    for source, target, names in moves:
        pipe.execute_command("SELECT", source)
        for name in names:
            pipe.move(name, target)
    pipe.execute()


def _marker(record: Record, index: int) -> bytes:
    return b"restore-marker:%b:%d" % (record.id.encode(), index)


def _groups(names: Sequence[bytes]) -> Iterator[tuple[int, Sequence[bytes]]]:
    for start in range(0, len(names), AT_ONCE):
        yield start, names[start : start + AT_ONCE]
