"""Answers: workflow tasks, what people said, and what was written to Kingdee for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tasks",
        sa.Column("item_id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("task_id", "form", "number", "node", "receiver")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("since", "seen_at", "state")),
        sa.Column("gone_at", sa.Text),
    )
    op.create_index("ix_tasks_state_form", "tasks", ["state", "form"])
    op.create_index("ix_tasks_number", "tasks", ["number"])
    op.create_table(
        "inbox",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("received_at", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("action", "form", "doc_id", "number")),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("finished_at", sa.Text),
    )
    op.create_index("ix_inbox_state_next_attempt_at", "inbox", ["state", "next_attempt_at"])
    op.create_index("ix_inbox_number", "inbox", ["number"])
    op.create_table(
        "writes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("inbox_id", sa.Text, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("form", "doc_id", "number", "operation")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("target", "user")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("at", "outcome", "detail")),
    )
    op.create_index("ix_writes_inbox_id", "writes", ["inbox_id"])
    op.create_index("ix_writes_number", "writes", ["number"])
