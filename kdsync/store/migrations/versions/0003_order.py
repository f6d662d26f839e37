"""What is still to be sent is found in order, however much of it there is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_outbox_unsent",
        "outbox",
        ["urgency", "created_at", "id", "state", "next_attempt_at", "lease_until", "channel"],
        sqlite_where=sa.text("state IN ('waiting', 'leased')"),
    )
    op.create_index(
        "ix_notifications_unaddressed",
        "notifications",
        ["form", "doc_id", "created_at"],
        sqlite_where=sa.text("state = 'matched'"),
    )
