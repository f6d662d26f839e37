"""Which card shows what to whom, so that it can be changed once somebody has decided."""

from __future__ import annotations

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
