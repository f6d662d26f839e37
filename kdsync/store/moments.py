"""Moments as the store writes them: ISO 8601 in UTC with microseconds, so that they sort as text."""

from __future__ import annotations

from datetime import UTC, datetime


def text(moment: datetime) -> str:
    """The stored form of a zone-aware moment."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def parse(stored: str) -> datetime:
    """The moment behind a stored text."""
    return datetime.fromisoformat(stored)
