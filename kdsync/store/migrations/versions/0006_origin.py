"""What a write made of a document, so that the change is known as ours when it is noticed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("ours", sa.Text))
    op.add_column("writes", sa.Column("wanted", sa.LargeBinary))
    op.add_column("writes", sa.Column("showed", sa.LargeBinary))
    # What was written before today was noticed before today.
    op.add_column("writes", sa.Column("met", sa.Text, nullable=False, server_default="never"))
    op.create_index("ix_writes_unmet", "writes", ["form"], sqlite_where=sa.text("met = ''"))
