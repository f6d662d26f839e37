"""What all tests share: new stores are copies of one that was migrated once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kdsync.store.database import Database
from tests import new_store


@pytest.fixture(autouse=True, scope="session")
def _new_stores_are_copies() -> Iterator[None]:
    with new_store.copied():
        yield


@pytest.fixture
def by_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test of the migrations themselves."""
    monkeypatch.setattr(Database, "_upgrade", new_store.BY_MIGRATIONS)
