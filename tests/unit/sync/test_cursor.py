"""How far back a date look reaches."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from kdsync.sync import cursor

NOW = "2026-11-23T12:00:00"


def test_the_newest_of_mixed_dates_knows_trimmed_fractions() -> None:
    dates = ["2026-11-23T10:00:00", "2026-11-23T10:00:00.72", "2026-11-23T10:00:00.647", None, " ", 0, "no date"]
    assert cursor.newest(dates) == "2026-11-23T10:00:00.72"


def test_no_date_at_all_is_the_empty_text() -> None:
    assert cursor.newest([None, " ", 7]) == ""


def test_a_document_dated_2099_does_not_blind_the_next_look() -> None:
    assert cursor.advance("2026-11-23T11:00:00", "2099-01-01T00:00:00", NOW) == NOW


def test_documents_never_move_the_cursor_back() -> None:
    assert cursor.advance("2026-11-23T11:00:00", "2020-01-01T00:00:00", NOW) == "2026-11-23T11:00:00"
    assert cursor.advance("2026-11-23T11:00:00", "", NOW) == "2026-11-23T11:00:00"


def test_the_cursor_goes_back_with_the_servers_clock() -> None:
    assert cursor.advance("2026-11-23T14:00:00", "2026-11-23T13:00:00", NOW) == NOW


def test_the_horizon_is_written_as_dates_are() -> None:
    assert cursor.horizon("2026-11-23T10:00:00.72", 300) == "2026-11-23T09:55:00"
    assert cursor.horizon("", 300) == ""


def test_literals_are_whole_seconds_rounded_down() -> None:
    assert cursor.since("2026-11-23T10:00:00.997", 300) == "2026-11-23 09:55:00"


def test_every_date_of_the_form_takes_part() -> None:
    where = cursor.date_filter(("FModifyDate", "FApproveDate"), "2026-11-23T10:00:00", 60)
    assert where == "FModifyDate>='2026-11-23 09:59:00' or FApproveDate>='2026-11-23 09:59:00'"


def test_open_documents_are_those_not_approved_and_those_still_alive() -> None:
    assert cursor.open_filter("FS", None) == "FS in ('Z','A','B','D',' ')"
    assert cursor.open_filter("FS", "FW<>'C'") == "FS in ('Z','A','B','D',' ') or (FS='C' and (FW<>'C'))"


def test_the_server_writes_its_own_zone() -> None:
    moment = datetime(2026, 11, 23, 4, 0, 0, 999, tzinfo=UTC)
    assert cursor.server_local(moment, ZoneInfo("Asia/Shanghai")) == "2026-11-23T12:00:00"
