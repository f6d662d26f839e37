"""What all tests share: new stores are copies of one, files are in memory, and tracebacks in logs are plain.

Hypothesis tries the same examples every time, however slow the machine is; `KDSYNC_EXPLORE=N` looks for others.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from kdsync.store.database import Database
from tests import new_store

MEMORY = Path("/dev/shm")  # noqa: S108  # stores of a test need no disk
ENOUGH = 2 << 30  # bytes
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
gc.disable()  # while tests are collected
settings.register_profile("kdsync", deadline=None, derandomize="KDSYNC_EXPLORE" not in os.environ)
settings.load_profile("kdsync")
PLAIN = [
    *structlog.get_config()["processors"][:-1],
    structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of several processes each begins with some of the longest tests, so that none of them ends last and alone."""
    count = getattr(config, "workerinput", {"workercount": 1})["workercount"]
    long = [item for item in items if item.get_closest_marker("long")]
    short = [item for item in items if not item.get_closest_marker("long")]
    share = len(short) // count + 1
    items[:] = [item for n in range(count) for item in (*long[n::count], *short[n * share : (n + 1) * share])]


def pytest_collection_finish() -> None:
    """Thousands of tests stay where they are: nobody need go through them again for what may be thrown away."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _plain_tracebacks() -> None:
    """A coloured traceback with all its variables takes a second."""
    if not structlog.is_configured():
        structlog.configure(processors=PLAIN)


@pytest.fixture(autouse=True, scope="session")
def _new_stores_are_copies() -> Iterator[None]:
    with new_store.copied():
        yield


@pytest.fixture
def by_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test of the migrations themselves."""
    monkeypatch.setattr(Database, "migrate", new_store.MIGRATE)
