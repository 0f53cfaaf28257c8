"""The table of entries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "knowledge"


def upgrade() -> None:
    """Make `knowledge.entries`, with an index for the few that Redis doesn't have yet."""
    op.create_table(
        "entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False, server_default="{}"),
        sa.Column("source", sa.String(), nullable=False, server_default=""),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("mirrored", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("deleted", sa.Boolean(), nullable=False, server_default=sa.false()),
        schema=SCHEMA,
    )
    op.create_index(
        "entries_not_mirrored", "entries", ["id"], schema=SCHEMA, postgresql_where=sa.text("NOT mirrored")
    )


def downgrade() -> None:
    """Drop the table and everything in it."""
    op.drop_table("entries", schema=SCHEMA)
