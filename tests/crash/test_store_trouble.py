"""A store that cannot be used: said once and plainly, nothing lost, nothing overwritten."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.chapters import AMOUNT, CHAPTERS, Chapter, carded, confirmed, rule
from tests.crash.house import BILL, House
from tests.crash.intake_chapters import lost_answers, taken_in
from tests.crash.points import MIGRATION, Blow, full_disk
from tests.crash.task_chapters import bars_changed, tasks_unread
from tests.crash.test_killed_anywhere import COMMITS

AT_THE_START = (MIGRATION, "wiring.Wired._open_store", "people.People.follow_directory")

MORE = (taken_in, lost_answers, tasks_unread, bars_changed)
"""Those that get by without long pauses."""

SPARED: dict[Chapter, tuple[str, ...]] = {bars_changed: ("dispatch.Dispatch._accepted",)}
"""A bar is known by the answer to its message."""

NOT_KEPT = (confirmed, carded)
"""Chapters in which what people say is not kept at first: DingTalk's minute passes before it comes again."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = House(tmp_path)
    built.configure(rule("paid", to=("user:user1",)))
    yield built
    built.close()


def a_bill_is_told(house: House) -> None:
    house.kingdee.create(BILL, "NEW", "C", **AMOUNT)
    house.expect("paid NEW.", "user1")
    house.finish()


@pytest.mark.parametrize("chapter", [*CHAPTERS, *MORE])
def test_the_disk_is_full_at_the_first_commit_of_each_kind(house: House, chapter: Chapter) -> None:
    house.stroke = full_disk
    spared = (*AT_THE_START, *(() if chapter in NOT_KEPT else ("inbound.Inbound.take",)), *SPARED.get(chapter, ()))
    house.blows = [tuple(Blow(point, "before") for point in COMMITS if point not in spared)]
    chapter(house)
    house.finish()
    assert "make room on the disk" in house.log()
    assert "store.back" in house.log()
    assert "Traceback" not in house.log()
    assert house.deaths == 0


@pytest.mark.parametrize("point", AT_THE_START)
def test_the_disk_is_full_at_the_start(house: House, point: str) -> None:
    house.stroke = full_disk
    house.has_store = False
    with house.unharmed():
        house.blows = [(Blow(point, "before"),)]
        house.launch()
    assert house.ends() == 1
    assert "start.failed" in house.log()
    assert "Traceback" not in house.log()
    house.start()
    a_bill_is_told(house)


def test_another_program_locks_the_store(house: House) -> None:
    house.start()
    with closing(sqlite3.connect(house.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        house.kingdee.create(BILL, "LATE", "C", **AMOUNT)
        house.until(lambda: "another program keeps it locked" in house.log())
    house.expect("paid LATE.", "user1")
    a_bill_is_told(house)
    assert house.log().count("store.failed") == 1


def test_the_file_is_deleted_while_the_daemon_runs(house: House) -> None:
    house.start()
    moved = house.file.rename(house.folder / "moved.db")
    house.until(lambda: "deleted or replaced" in house.log())
    assert not house.file.exists()
    moved.rename(house.file)
    a_bill_is_told(house)
    assert "store.back" in house.log()


def test_a_store_of_which_only_the_log_is_left_is_not_begun_anew(house: House) -> None:
    house.start()
    house.close_daemon()
    house.has_store = False
    moved = house.file.rename(house.folder / "moved.db")
    house.launch()
    assert house.ends() == 1
    assert "kdsync.db-wal is still there" in house.log()
    assert not house.file.exists()
    moved.rename(house.file)
    house.launch()
    a_bill_is_told(house)


@pytest.mark.parametrize("content", [b"no database at all" * 500, b"SQLite format 3\0" + b"\xff" * 9000])
def test_a_file_that_is_no_store_is_left_alone(house: House, content: bytes) -> None:
    house.file.write_bytes(content)
    house.launch()
    assert house.ends() == 1
    assert "put a backup in its place" in house.log()
    assert "Traceback" not in house.log()
    assert house.file.read_bytes() == content


def test_a_folder_that_cannot_be_written(house: House) -> None:
    house.configure(rule("paid"), store={"url": "sqlite:////proc/kdsync.db"})
    house.launch()
    assert house.ends() == 1
    assert "cannot write beside the store /proc/kdsync.db" in house.log()
