"""What the commands that look into the store have in common: open it, print data as JSON or as a table."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection

from kdsync import logs
from kdsync.errors import StoreError
from kdsync.settings.load import Loaded, load
from kdsync.store import ledger
from kdsync.store.database import Database
from kdsync.store.sealing import Seal
from kdsync.store.trouble import refuse_remains

SHORT = 10  # characters of an id that are shown


@contextmanager
def opened(config: Path) -> Iterator[tuple[Loaded, Database, Seal]]:
    """The configuration and its store, which stays as the daemon made it. Raises StoreError where it cannot be used.

    What a daemon would log is told once, as an error: nothing else is on standard output but what was asked for.
    """
    loaded = load(config, os.environ)
    store = loaded.settings.main.store
    database = Database(store.url)
    try:
        with logs.silent():
            _make_sure_of(database.path)
            database.use()
            yield loaded, database, Seal.of(store.key)
    finally:
        database.close()


def _make_sure_of(path: str) -> None:
    """SQLite itself says the same of every file that it cannot open."""
    try:
        os.close(os.open(path, os.O_RDWR))
    except FileNotFoundError:
        refuse_remains(path)
        raise StoreError(f"there is no store at {path} yet: start the daemon with `kdsync run` first") from None
    except PermissionError as error:
        who = "run this as root, or as the user that kdsync runs as"
        raise StoreError(f"the store {path} cannot be opened: {error.strerror} ({who})") from None
    except OSError as error:
        raise StoreError(f"the store {path} cannot be opened: {error.strerror}") from None


def page() -> Console:
    """Standard output, kept within the terminal; what other people wrote is printed as it is."""
    return Console(highlight=False, markup=False, emoji=False)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    print(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode())


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table that keeps within the terminal."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    page().print(table)


def print_noted(columns: Sequence[str], rows: Sequence[tuple[Sequence[object], str]]) -> None:
    """A line for each row, and below it what there is to say of it: in a column of its own that would be a chimney."""
    cells = [list(columns), *([str(cell) for cell in row] for row, _ in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    console = page()
    for line, note in zip(cells, ("", *(note for _, note in rows)), strict=True):
        text = "  ".join(set_cell_size(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()
        console.print(text, style="dim" if line is cells[0] else "")
        if note:
            console.print(Padding(Text(note), (0, 0, 0, 4)))


def now_of(tx: Connection) -> datetime:
    """The time as the daemon keeps it, which is not this machine's where that clock is plainly wrong."""
    sign = ledger.sign_of_life(tx)
    return datetime.now(UTC) + (sign[0] - sign[1] if sign else timedelta())


def ago(stored: str | None, now: datetime) -> str:
    """How long ago a stored moment was, in words."""
    if not stored:
        return "never"
    seconds = (now - datetime.fromisoformat(stored)).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"


def clock_time(stored: str | None) -> str:
    """A stored moment in the machine's own zone, to the second."""
    return datetime.fromisoformat(stored).astimezone().strftime("%Y-%m-%d %H:%M:%S") if stored else ""
