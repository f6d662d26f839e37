"""The ids that one look at everything saw, kept on disk: a million of them must not cost memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import islice

import orjson

CHUNK = 5_000


class Seen:
    """A set of ids in a temporary SQLite file that goes away with it."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # "": a temporary file that nobody else sees
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("CREATE TABLE seen (id TEXT PRIMARY KEY) WITHOUT ROWID")

    def add(self, ids: Iterable[str]) -> None:
        """Note ids; twice is once."""
        self._db.execute("INSERT OR IGNORE INTO seen SELECT value FROM json_each(?)", (orjson.dumps(list(ids)),))

    def missing(self, known: Iterable[str]) -> list[str]:
        """Those of the known ids that were never added; closes the set."""
        query, source, absent = "SELECT value FROM json_each(?) WHERE value NOT IN seen", iter(known), list[str]()
        while chunk := list(islice(source, CHUNK)):
            absent.extend(found for (found,) in self._db.execute(query, (orjson.dumps(chunk),)))
        self._db.close()
        return absent
