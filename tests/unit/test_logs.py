"""What is written down, and what never is."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import structlog

from kdsync import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers.clear()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_one_json_object_a_line_with_time_level_and_event(stream: io.StringIO) -> None:
    log = logs.get("test")  # as modules do: before anything is configured
    logs.configure(logs.Redactor(), stream=stream)
    log.info("poll.finished", form="AP_PAYBILL", documents=3)
    (line,) = lines(stream)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {
        "event": "poll.finished",
        "level": "info",
        "part": "test",
        "form": "AP_PAYBILL",
        "documents": 3,
    }


def test_secrets_are_left_out_wherever_they_stand(stream: io.StringIO) -> None:
    redactor = logs.Redactor(["s3cret-value"])
    logs.configure(redactor, stream=stream)
    redactor.add(["later-secret"])
    log = logs.get("test")
    log.info("a", text="x s3cret-value y", many=["later-secret"], nested={"k": "s3cret-value"})
    try:
        int("later-secret")
    except ValueError:
        log.exception("b", error=ValueError("s3cret-value"))
    logging.getLogger("urllib3").warning("url with %s", "s3cret-value")
    assert "s3cret-value" not in stream.getvalue()
    assert "later-secret" not in stream.getvalue()
    assert len(lines(stream)) == 3


def test_short_words_are_no_secrets() -> None:
    assert logs.Redactor(["abc"]).text("abc") == "abc"


@pytest.mark.parametrize("order", [1, -1])
def test_a_secret_that_begins_like_another_one_leaves_nothing_of_it(order: int) -> None:
    redactor = logs.Redactor()
    for secret in ["ding-app", "ding-app-secret", "secret"][::order]:
        redactor.add([secret])
    assert redactor.text("of ding-app-secret") == "of ***"


def test_what_a_library_says_is_a_line_as_any_other(stream: io.StringIO) -> None:
    logs.configure(logs.Redactor(), stream=stream)
    logging.getLogger("urllib3.connectionpool").warning("Connection pool is full: %s", "erp.example.com")
    (line,) = lines(stream)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {
        "event": "library.logged",
        "level": "warning",
        "part": "urllib3.connectionpool",
        "message": "Connection pool is full: erp.example.com",
    }


@pytest.mark.parametrize(("journal", "begins"), [(True, ["<6>{", "<4>{", "<3>{"]), (False, ["{", "{", "{"])])
def test_the_journal_is_told_how_bad_it_is(
    journal: bool, begins: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "log").open("w+") as target:
        place = os.fstat(target.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{place.st_dev}:{place.st_ino + (not journal)}")
        logs.configure(logs.Redactor(), stream=target)
        log = logs.get("test")
        log.info("poll.finished")
        logging.getLogger("urllib3").warning("a library's")
        log.error("store.failed")
        target.seek(0)
        written = target.read().splitlines()
    assert [line.partition('"')[0] for line in written] == begins
    assert all(json.loads(line.lstrip("<6430>")) for line in written)


def test_levels(stream: io.StringIO) -> None:
    logs.configure(logs.Redactor(), stream=stream, level="warning")
    logs.get("test").info("quiet")
    assert stream.getvalue() == ""


def test_a_command_that_tells_by_itself_logs_nothing_meanwhile(stream: io.StringIO) -> None:
    logs.configure(logs.Redactor(), stream=stream)
    log = logs.get("test")
    with logs.silent():
        log.error("kingdee.logged_in")
    log.info("afterwards")
    assert [line["event"] for line in lines(stream)] == ["afterwards"]


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[tuple[Callable[[int], None], Path]]:
    """A log file, and how many bytes the disk has room for. `write` as the system does it: in part, then not at all."""
    room, write = [10**6], os.write

    def as_far_as_it_goes(file: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = write(file, data[: room[0]])
        room[0] -= count
        return count

    def has_room(count: int) -> None:
        room[0] = count

    path = tmp_path / "log"
    with path.open("w") as target, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", as_far_as_it_goes)
        logs.configure(logs.Redactor(), stream=target)
        yield has_room, path


def test_a_full_disk_ends_nothing_and_the_gap_is_told(narrow: tuple[Callable[[int], None], Path]) -> None:
    has_room, path = narrow
    log = logs.get("test")
    log.info("first")
    has_room(0)
    log.info("lost")
    logging.getLogger("urllib3").warning("lost too")
    assert logs.trouble() == "No space left on device"
    has_room(10**6)
    log.info("last")
    assert logs.trouble() == ""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in found] == ["first", "last", "log.gap"]
    assert {key: found[-1][key] for key in ("lines", "error", "level")} == {
        "lines": 2,
        "error": "No space left on device",
        "level": "warning",
    }


def test_a_line_that_was_written_in_part_spoils_no_other(narrow: tuple[Callable[[int], None], Path]) -> None:
    has_room, path = narrow
    log = logs.get("test")
    has_room(9)
    log.info("torn")
    has_room(0)
    log.info("lost")
    has_room(10**6)
    log.info("whole")
    torn, *whole = path.read_text().splitlines()
    assert len(torn) == 9
    assert [json.loads(line)["event"] for line in whole] == ["whole", "log.gap"]


def test_a_reader_that_has_gone_ends_nothing() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as target:
        logs.configure(logs.Redactor(), stream=target)
        os.close(reader)
        logs.get("test").info("to nobody")
        assert logs.trouble() == "Broken pipe"
    logs.get("test").info("to a file that is closed")
    assert logs.trouble() == "Bad file descriptor"


def test_lines_of_many_threads_stay_lines(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as target:
        logs.configure(logs.Redactor(), stream=target)
        loggers = [logs.get("test").info, logging.getLogger("urllib3").warning]

        def speak(number: int) -> None:
            for _ in range(200):
                loggers[number % 2]("said")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(speak, range(8)))
    assert len([json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]) == 1600
