"""A page of changed documents, read, compared and committed, against parsing it and storing its values as columns.

    python -m tests.benchmarks.page [--documents 2000] [--rounds 15] [--profile]

Both sides get the same bytes in turns; the network takes no part. Every document has changed since the turn before.

First their amount, a field that a rule uses but none watches: read, compared, committed. Then with what comes on top
when changes are events: of four documents one was approved, one sent back from approval to the start, and one in a
hundred had a watched field changed, so that an event with the state before is written for every second one, and rules
are asked. No rule has anything to tell. That has no limit: writing the events alone takes about as long as plain does.

With --approved every document is approved in one turn and unapproved in the next: an event each.
"""

from __future__ import annotations

import cProfile
import pstats
import sqlite3
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from time import process_time
from typing import Any

import orjson

from kdsync.kingdee.answer import read_answer
from kdsync.kingdee.transport import Reply
from kdsync.services.watcher import Watcher
from tests.benchmarks import figures, measured

FORM = "AP_PAYBILL"
EDITED, MIXED, APPROVED = "edited", "mixed", "approved"
HEADS = (
    "FID FBillNo FDOCUMENTSTATUS FCancelStatus FModifyDate FCreateDate FApproveDate FCreatorId "
    "FPAYORGID.FNumber FCONTACTUNIT.FName FREALPAYAMOUNTFOR FREMARK"
)
RULES = """
rules:
- {id: approved, form: AP_PAYBILL, on: approved, when: doc.FREALPAYAMOUNTFOR > 1000000, to: [creator],
   message: {title: "{{ doc.FBillNo }} {{ doc.FCONTACTUNIT.FName }}"}}
- {id: moved, form: AP_PAYBILL, on: {changed: [FREMARK]}, when: doc.FPAYORGID.FNumber == '999', to: [user:ops1],
   message: {title: "{{ doc.FREALPAYAMOUNTFOR }}"}}
"""


class Canned:
    """A Kingdee client without a network: one body, and an empty page behind it."""

    def __init__(self) -> None:
        self.body = b"[]"
        self.keys: tuple[str, ...] = ()

    def ask(self, _service: str, payload: Mapping[str, Any], *, read: bool) -> Reply:
        """The page, or the empty one behind it."""
        query = payload["data"]
        self.keys = max(self.keys, tuple(query["FieldKeys"].split(",")), key=len)
        behind = " > " in query["FilterString"].replace(">=", "")
        body = b"[]" if behind else self.body
        return Reply(read_answer(200, body, read=read), datetime.now(UTC))

    def call(self, _service: str, _payload: Mapping[str, Any], *, read: bool) -> Any:
        """Metadata: this server is too old to tell."""
        return read_answer(200, "response_error:未将对象引用设置到对象的实例。".encode(), read=read)


def body_of(keys: tuple[str, ...], documents: int, turn: int, mode: str) -> bytes:
    """The documents as they are in one turn."""
    return orjson.dumps([[_values(number, turn, mode)[key] for key in keys] for number in range(documents)])


@lru_cache(maxsize=4)
def _values(number: int, turn: int, mode: str) -> Mapping[str, Any]:
    moved = mode == APPROVED or (mode == MIXED and number % 2 == 0)
    status = "BC"[(turn + number // 2 * (mode != APPROVED)) % 2] if moved else "A"
    remarked = mode != EDITED and number % 100 == 0
    date = f"2026-11-23T10:{turn % 60:02}:00"
    return {
        "FID": 100_001 + number,
        "FBillNo": f"FKD{number:08}",
        "FDOCUMENTSTATUS": status,
        "FCancelStatus": "A",
        "FCreateDate": "2026-11-02T09:12:44.72",
        "FModifyDate": "2026-11-22T17:30:12.007" if moved else f"{date}.{number % 1000:03}",
        "FApproveDate": date if status == "C" else None,
        "FCreatorId": 100_021,
        "FPAYORGID.FNumber": "100",
        "FCONTACTUNIT.FName": "深圳市前海供应链管理有限公司",
        "FREALPAYAMOUNTFOR": 1280.5 + (0 if moved else turn),
        "FREMARK": f"第{turn}次修改" if remarked else "按合同支付第二期货款",
    }


class Plain:
    """What it is measured against: parse, and insert or replace every value as a column, in one transaction."""

    def __init__(self, path: Path, columns: int) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        names = [f"c{place}" for place in range(columns)]
        self._db.execute(f"CREATE TABLE plain ({names[0]} INTEGER PRIMARY KEY, {', '.join(names[1:])})")
        marks = ", ".join("?" * columns)
        self._put = f"INSERT OR REPLACE INTO plain ({', '.join(names)}) VALUES ({marks})"  # noqa: S608  # own names

    def take(self, body: bytes) -> None:
        """One page."""
        rows = orjson.loads(body)
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(self._put, rows)
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class Page:
    """Both sides, and the turn that they are at."""

    def __init__(self, folder: Path, watcher: Watcher, canned: Canned, documents: int, mode: str) -> None:
        self._watcher = watcher
        self._canned = canned
        self._documents = documents
        self._mode = mode
        self._turn = 0
        watcher.tick()  # the first look, at nothing
        self.next()
        self.ours()
        self.plain = Plain(folder / "plain.db", len(canned.keys))

    def next(self) -> None:
        """Every document changes."""
        self._turn += 1
        self._canned.body = body_of(self._canned.keys, self._documents, self._turn, self._mode)

    def ours(self) -> float:
        """Seconds that kdsync takes for it."""
        return figures.seconds(self._look)

    def theirs(self) -> float:
        """Seconds that storing it plainly takes."""
        return figures.seconds(lambda: self.plain.take(self._canned.body))

    def _look(self) -> None:
        report = self._watcher.tick()
        if report is None or report.documents != self._documents or report.events < self._events():
            sys.exit(f"not every document was noticed: {report} {self._watcher.condition.error}")

    def _events(self) -> int:
        """How many events a turn makes at least."""
        return {EDITED: 0, MIXED: self._documents // 2, APPROVED: self._documents}[self._mode]


def main() -> int:
    """Measure and print."""
    options = _options()
    edited, plain = _measured(options, EDITED)
    told, beside = _measured(options, APPROVED if options.approved else MIXED)
    return figures.report(
        [
            figures.Figure(
                f"{options.documents} edited documents, times plain", figures.ratios(edited, plain), options.limit
            ),
            figures.Figure("  kdsync: read, compared, committed", figures.milliseconds(edited), None, "ms"),
            figures.Figure("  plain: parsed, inserted or replaced", figures.milliseconds(plain), None, "ms"),
            figures.Figure("with events written and rules asked", figures.ratios(told, beside), None),
        ]
    )


def _measured(options: Namespace, mode: str) -> tuple[list[float], list[float]]:
    """Seconds of each turn, ours and plain."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with measured.kdsync(folder, "http://127.0.0.1:9/K3Cloud/", RULES) as wired:
            canned = Canned()
            wired.source.client = canned  # type: ignore[assignment]  # a client without a network
            page = Page(folder, wired.watchers[FORM], canned, options.documents, mode)
            missing = set(HEADS.split()) ^ set(canned.keys)
            if missing:
                sys.exit(f"other keys than thought: {missing}")

            def ours() -> float:
                page.next()
                return page.ours()

            took, plain = figures.alternating(options.rounds, ours, page.theirs)
            if options.profile:
                _profile(page)
            page.plain.close()
    return took, plain


def _options() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--limit", type=float, default=3)
    parser.add_argument("--approved", action="store_true", help="every document makes an event, not every second one")
    parser.add_argument("--profile", action="store_true", help="also print where the time goes")
    return parser.parse_args()


def _profile(page: Page) -> None:
    profile = cProfile.Profile(process_time)
    for _ in range(5):
        page.next()
        with profile:
            page.ours()
    pstats.Stats(profile).sort_stats("tottime").print_stats(40)


if __name__ == "__main__":
    sys.exit(main())
