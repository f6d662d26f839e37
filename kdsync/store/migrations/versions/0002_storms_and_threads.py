"""Storms, strange events, and the order of what one recipient gets about one document."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.add_column(sa.Column("strange", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("storm", sa.Text(), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_notifications_storm"), ["storm"], unique=False, sqlite_where=sa.text("storm IS NOT NULL")
        )

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("thread", sa.Text(), nullable=True))
        batch_op.create_index(batch_op.f("ix_outbox_thread_target"), ["thread", "target"], unique=False)
