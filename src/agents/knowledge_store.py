"""Knowledge entries in PostgreSQL, schema `knowledge`: the truth that index and mirror are made from.

Blocking; the agent calls it in threads. Tables are made by the migrations in
`knowledge_migrations`, which several agents may start at the same time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from psycopg.errors import UndefinedTable
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from src.agents.checks import Check, Stopwatch
from src.agents.postgres_login import PostgresLogin
from src.agents.settings import PostgresSettings
from src.errors import RuntimeFault

SCHEMA = "knowledge"
POOL_SIZE = 4
_MIGRATIONS = Path(__file__).with_name("knowledge_migrations")
# Any number will do as long as every knowledge agent takes the same one.
MIGRATION_LOCK = 0x6B6E6F77
_HAS_TABLES = f"SELECT to_regclass('{SCHEMA}.entries') IS NOT NULL"


class StoreUnreachable(RuntimeFault):
    """PostgreSQL doesn't answer, refuses the password, has no connection left or lacks the tables."""


class Base(DeclarativeBase):
    """All tables of the agent, in its own schema."""

    metadata = sa.MetaData(schema=SCHEMA)


class Entry(Base):
    """One piece of knowledge.

    `mirrored` is whether Redis agrees with this row. A deleted row stays, and is seen by nobody,
    until Redis has forgotten it too.
    """

    __tablename__ = "entries"

    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    title: Mapped[str]
    content: Mapped[str]
    tags: Mapped[list[str]] = mapped_column(ARRAY(sa.Text), server_default="{}")
    source: Mapped[str] = mapped_column(server_default="")
    created: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), server_default=sa.func.now())
    mirrored: Mapped[bool] = mapped_column(server_default=sa.false())
    deleted: Mapped[bool] = mapped_column(server_default=sa.false())


class EntryStore:
    """Entries by id. Every method raises `StoreUnreachable` when PostgreSQL can't be reached."""

    def __init__(self, settings: PostgresSettings) -> None:
        """Opens no connection."""
        self._database = settings.database
        self._login = PostgresLogin(settings)
        self._engine = sa.create_engine(
            "postgresql+psycopg://",
            creator=self._login.connect,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=5,
            # A connection that PostgreSQL's restart broke is noticed before it is used.
            pool_pre_ping=True,
        )

    def migrate(self) -> None:
        """Bring the schema to the newest revision; a second agent waits until the first is done.

        All in one transaction: a crash in the middle leaves the former revision.
        """
        configuration = Config()
        configuration.set_main_option("script_location", str(_MIGRATIONS))
        with self._reachable(), self._engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, "head")

    def has_tables(self) -> bool:
        """Whether the tables are there: a server that was put in place of another one begins empty."""
        with self._reachable(), self._engine.connect() as connection:
            return bool(connection.scalar(sa.text(_HAS_TABLES)))

    def add(self, title: str, content: str, tags: Sequence[str], source: str) -> Entry:
        """Store a new entry; it has its id afterwards."""
        entry = Entry(title=title, content=content, tags=list(tags), source=source)
        with self._session() as session:
            session.add(entry)
            session.commit()
            session.refresh(entry)
            session.expunge(entry)
        return entry

    def get(self, identifier: int) -> Entry | None:
        """An entry, or None."""
        return self.get_many([identifier]).get(identifier)

    def get_many(self, identifiers: Sequence[int]) -> dict[int, Entry]:
        """Entries by id; those that are gone are missing."""
        with self._session() as session:
            found = session.scalars(
                sa.select(Entry).where(Entry.id.in_(identifiers), Entry.deleted.is_(False))
            )
            return {entry.id: entry for entry in found}

    def delete(self, identifier: int) -> bool:
        """Delete an entry; False if there is none."""
        query = sa.update(Entry).where(Entry.id == identifier, Entry.deleted.is_(False))
        with self._session() as session:
            deleted = session.execute(query.values(deleted=True, mirrored=False).returning(Entry.id)).first()
            session.commit()
            return deleted is not None

    def identifiers(self) -> list[int]:
        """Every id, ascending."""
        with self._session() as session:
            return list(
                session.scalars(sa.select(Entry.id).where(Entry.deleted.is_(False)).order_by(Entry.id))
            )

    def all_entries(self, batch: int = 500) -> Iterator[Entry]:
        """Every entry by ascending id, read in batches."""
        after = 0
        while True:
            query = sa.select(Entry).where(Entry.id > after, Entry.deleted.is_(False))
            with self._session() as session:
                rows = list(session.scalars(query.order_by(Entry.id).limit(batch)))
            if not rows:
                return
            yield from rows
            after = rows[-1].id

    def not_mirrored(self, limit: int = 500) -> list[Entry]:
        """Entries, deleted ones too, that Redis doesn't agree with yet; the oldest first."""
        with self._session() as session:
            query = sa.select(Entry).where(Entry.mirrored.is_(False)).order_by(Entry.id).limit(limit)
            return list(session.scalars(query))

    def mark_mirrored(self, identifiers: Sequence[int]) -> None:
        """Remember that Redis agrees with these; deleted ones among them go for good."""
        with self._session() as session:
            session.execute(sa.delete(Entry).where(Entry.id.in_(identifiers), Entry.deleted))
            session.execute(sa.update(Entry).where(Entry.id.in_(identifiers)).values(mirrored=True))
            session.commit()

    async def probe(self) -> Check:
        """One query on a connection of its own: unlike a pooled one it can be abandoned when it hangs."""
        stopwatch = Stopwatch()
        async with await self._login.connect_async() as connection:
            cursor = await connection.execute(_HAS_TABLES)
            row = await cursor.fetchone()
        elapsed = stopwatch.milliseconds()
        if row is None or not row[0]:
            output = f"the tables of schema {SCHEMA} are missing"
            return Check("fail", "datastore", self._database, elapsed, "ms", output)
        return Check("pass", "datastore", self._database, elapsed, "ms")

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with self._reachable(), Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise StoreUnreachable(f"PostgreSQL can't be used: {reason}") from error
        except ProgrammingError as error:
            if not isinstance(error.orig, UndefinedTable):
                raise
            raise StoreUnreachable(f"PostgreSQL lacks the tables of schema {SCHEMA}") from error
