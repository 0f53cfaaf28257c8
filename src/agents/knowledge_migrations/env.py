"""Alembic's environment: it works on the connection, and in the transaction, that it is handed."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

from src.agents.knowledge_store import SCHEMA, Base


def run_migrations() -> None:
    """Run what is missing, with the list of revisions kept in the agent's own schema."""
    connection: Connection = context.config.attributes["connection"]
    # IF NOT EXISTS would ask for the right to create before it looks, and the schema is usually made
    # by whoever made the role.
    exists = connection.scalar(
        text("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = :name"), {"name": SCHEMA}
    )
    if not exists:
        connection.execute(text(f'CREATE SCHEMA "{SCHEMA}"'))
    context.configure(connection=connection, target_metadata=Base.metadata, version_table_schema=SCHEMA)
    context.run_migrations()


run_migrations()
