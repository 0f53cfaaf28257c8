"""What a PostgreSQL database holds, so that two databases can be compared row for row.

Of every table: how many rows, and the sum of their 64-bit hashes. Order doesn't count, rows that appear
twice count twice. It finds what went wrong by accident; it is not a signature.
"""

from __future__ import annotations

from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

# A row's text must not depend on the server's or the role's own settings.
SETTINGS = (
    "SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; "
    "SET bytea_output = 'hex'; SET extra_float_digits = 1; SET search_path = pg_catalog;"
)

# What belongs to an extension comes back with the extension and isn't in a dump. A sequence that counts
# down can't be compared by "not behind", so it isn't.
_RELATIONS = """
SELECT coalesce(json_agg(format('%I.%I', nspname, relname) ORDER BY nspname, relname), '[]')
  FROM pg_class
  JOIN pg_namespace ON pg_namespace.oid = relnamespace
  LEFT JOIN pg_sequence ON seqrelid = pg_class.oid
 WHERE relkind = '{kind}' AND relpersistence <> 't'
   AND nspname !~ '^pg_' AND nspname <> 'information_schema'
   AND coalesce(seqincrement > 0, true)
   AND NOT EXISTS (SELECT FROM pg_depend
                    WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
"""
_DESCRIPTION = """
SELECT json_build_array(current_setting('server_version'), pg_database_size(current_database()))
"""
_ROWS = """
SELECT json_build_object(
         'rows', count(*),
         'hash', coalesce(sum(hashtextextended((one_row.*)::text, 0)), 0)::text)
  FROM ONLY {table} AS one_row
"""
_SEQUENCE = "SELECT to_json(last_value) FROM {sequence}"


class Asks(Protocol):
    """Somebody who puts a statement to a database and gets its answer: one JSON value."""

    def ask(self, statement: str, /) -> object:
        """The answer's one value."""
        ...


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TableContent(_Row):
    """The rows of one table; `hash` is a decimal number of any length."""

    rows: int = Field(ge=0)
    hash: str


class PostgresContent(_Row):
    """One database at one moment. `size` is what it occupies on the server, in bytes.

    Tables and sequences are named with their schema before them, and quotes where SQL needs them. Of a
    sequence it is the last value: identifiers up to there may have been given out.
    """

    database: str
    server_version: str
    size: int = Field(ge=0)
    tables: dict[str, TableContent]
    sequences: dict[str, int]

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables.values())


def table_names(database: Asks) -> list[str]:
    """Its tables, ready to be used in a statement."""
    return _names(database, "r")


def sequence_names(database: Asks) -> list[str]:
    """Its sequences, ready to be used in a statement."""
    return _names(database, "S")


def read_content(database: Asks, name: str) -> PostgresContent:
    """Everything that is compared. Reads every row once, inside the server.

    Sequences follow no snapshot. Read before a dump, they are at most as far as in the dump.
    """
    version, size = _list(database.ask(_DESCRIPTION))
    return PostgresContent(
        database=name,
        server_version=str(version),
        size=int(str(size)),
        tables={
            table: TableContent.model_validate(database.ask(_ROWS.format(table=table)))
            for table in table_names(database)
        },
        sequences={
            sequence: int(str(database.ask(_SEQUENCE.format(sequence=sequence))))
            for sequence in sequence_names(database)
        },
    )


def differences(expected: PostgresContent, found: PostgresContent) -> list[str]:
    """What the found one has that isn't as expected, in words; empty where it is. Pure.

    A sequence may be ahead, since it went on while the dump began; behind, it would give out a value twice.
    """
    said: list[str] = []
    for name in sorted({*expected.tables, *found.tables}):
        before, after = expected.tables.get(name), found.tables.get(name)
        if before is None or after is None:
            said.append(f"table {name} is {'missing' if after is None else 'too much'}")
        elif before.rows != after.rows:
            said.append(f"table {name} has {after.rows} rows instead of {before.rows}")
        elif before != after:
            said.append(f"table {name} has other rows")
    for name in sorted({*expected.sequences, *found.sequences}):
        was, became = expected.sequences.get(name), found.sequences.get(name)
        if was is None or became is None:
            said.append(f"sequence {name} is {'missing' if became is None else 'too much'}")
        elif became < was:
            said.append(f"sequence {name} stands at {became} instead of {was}")
    return said


def _names(database: Asks, kind: str) -> list[str]:
    return [str(name) for name in _list(database.ask(_RELATIONS.format(kind=kind)))]


def _list(value: object) -> list[object]:
    assert isinstance(value, list)  # noqa: S101 - the statement makes one
    return value
