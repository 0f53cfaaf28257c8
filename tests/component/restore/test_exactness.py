"""Backup, FLUSHDB, restore: whatever was there is there again, by what the server itself says of it."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autobot_ops.restore.restoring import apply_restore, commit
from tests.component.rdb.conftest import StartServer
from tests.component.rdb.contents import contents
from tests.component.restore.servers import archive_of, prepared, without_users
from tests.component.restore.test_loading import STAGING, load_file

FAR = 4_000_000_000_000
Command = tuple[Any, ...]

words = st.one_of(
    st.binary(max_size=30), st.integers(-(1 << 63), (1 << 63) - 1), st.binary(min_size=65, max_size=90)
)
keys = st.binary(min_size=1, max_size=12)
scores = st.floats(allow_nan=False)
many = st.lists(words, min_size=1, max_size=40)


def _pairs(
    verb: str, first: st.SearchStrategy[Any], second: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    pairs = st.lists(st.tuples(first, second), min_size=1, max_size=40)
    return st.tuples(keys, pairs).map(
        lambda made: [(verb, made[0], *(word for pair in made[1] for word in pair))]
    )


@st.composite
def streams(draw: st.DrawFn) -> list[Command]:
    """A stream with a group whose consumers have pending entries, some of deleted messages."""
    key, count = draw(keys), draw(st.integers(1, 30))
    commands: list[Command] = [
        ("XADD", key, f"{n}-{n % 3}", "name", draw(words)) for n in range(1, count + 1)
    ]
    commands.append(("XGROUP", "CREATE", key, "readers", draw(st.sampled_from(["0", "$", "3-0"]))))
    for consumer in ("Ann", "Bob"):
        taken = draw(st.integers(1, 20))
        commands.append(("XREADGROUP", "GROUP", "readers", consumer, "COUNT", taken, "STREAMS", key, ">"))
    gone = draw(st.lists(st.integers(1, count), max_size=3))
    commands += [("XDEL", key, f"{n}-{n % 3}") for n in gone]
    commands += [("XACK", key, "readers", "2-2"), ("XGROUP", "CREATECONSUMER", key, "readers", "idle")]
    return commands


one_key = st.one_of(
    st.tuples(keys, words).map(lambda made: [("SET", *made)]),
    st.tuples(keys, many).map(lambda made: [("RPUSH", made[0], *made[1])]),
    st.tuples(keys, many).map(lambda made: [("SADD", made[0], *made[1])]),
    _pairs("HSET", words, words),
    _pairs("ZADD", scores, words),
    streams(),
)
expiring = st.tuples(one_key, st.one_of(st.none(), st.integers(FAR, FAR + 10**9)))
databases = st.lists(expiring, min_size=1, max_size=25)


def test_what_was_there_is_there_again(start_server: StartServer) -> None:
    process = start_server("--databases", "32")
    server = without_users(process)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(databases)
    def check(made: list[tuple[list[Command], int | None]]) -> None:
        with process.client(6) as client:
            client.flushdb()
            for commands, expires_at in made:
                key = commands[0][1]
                client.delete(key)
                for command in commands:
                    client.execute_command(*command)
                if expires_at is not None:
                    client.pexpireat(key, expires_at)
            before = contents(process, 6)
            part = archive_of(server, "sessions")
            client.flushdb()
        apply_restore(server, prepared(server, part))
        assert contents(process, 6) == before
        commit(server, "sessions")
        with part.open() as source:
            load_file(process, source.read(1 << 20), whole_bytes=0)
        assert contents(process, STAGING) == before
        process.command("FLUSHDB", number=STAGING)

    check()
