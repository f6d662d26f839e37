"""Tries of which nobody knows what came of them are found by when they were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_attempts_unheard", "attempts", ["at", "outbox_id"], sqlite_where=sa.text("outcome = 'unknown_outcome'")
    )
