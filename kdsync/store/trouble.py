"""What SQLite says when a store cannot be used, in words that tell an operator what to do.

Its words are those of `sqlite3_errstr` ("Result and Error Codes", sqlite.org).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy.exc import DatabaseError, InternalError, OperationalError

from kdsync.errors import StoreUnusableError

ERRORS = (DatabaseError, sqlite3.DatabaseError)  # the latter where a connection is opened
CURES = (
    ("disk is full", "make room on the disk; kdsync goes on by itself"),
    ("disk I/O error", "the disk fails or is full: look at the system's log"),
    ("readonly", "the file or its file system cannot be written: look at its owner and rights, and how it is mounted"),
    ("is locked", "another program keeps it locked: close it; kdsync goes on by itself"),
    ("unable to open", "the folder must exist and be writable for the user that kdsync runs as"),
    ("not a database", "the file is damaged or another one: stop kdsync and put a backup in its place"),
    ("malformed", "the file is damaged: stop kdsync and put a backup in its place"),
)
"""What to do, by a part of what SQLite says."""


def unusable(path: str, error: Exception) -> StoreUnusableError | None:
    """The error for what happened; None where the store is well and the mistake is another."""
    if isinstance(error, DatabaseError):
        said, ours = str(error.orig), type(error) not in (DatabaseError, OperationalError, InternalError)
    else:
        said, ours = str(error), not isinstance(error, sqlite3.DatabaseError)
    if ours:
        return None
    return StoreUnusableError(f"the store {path} cannot be used: {said} ({cure_of(said)})")


def cure_of(said: str) -> str:
    """What to do about what SQLite says."""
    return next((cure for part, cure in CURES if part in said), "look at the file and the disk that it is on")


def refuse_remains(path: str) -> None:
    """Raise where the store is gone but its newest transactions are still there: beginning anew would lose them."""
    log = Path(f"{path}-wal")
    if not Path(path).exists() and log.exists() and log.stat().st_size:
        raise StoreUnusableError(
            f"the store {path} is gone, but {log.name} is still there and holds what was written last "
            f"(put the file back; to begin anew, move {log.name} away)"
        )
