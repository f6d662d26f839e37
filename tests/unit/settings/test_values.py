from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, ValidationError

from kdsync.rules.durations import Seconds, in_seconds, written_duration
from kdsync.settings.schema import ExistingFile, Flag, Hours, KingdeeSection, StoreSection, Url, Zone
from kdsync.settings.values import listen_address, written_times

LOADING = {"base": Path("/etc/kdsync"), "secrets": lambda _: "hunter2"}


class Values(BaseModel):
    seconds: Seconds = 0.0
    hours: Hours = (0, 0)
    url: Url = ""
    flag: Flag = True
    zone: Zone | None = None
    file: ExistingFile | None = None


def loaded(**values: Any) -> Values:
    return Values.model_validate(values, context=LOADING)


def refused(**values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        loaded(**values)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "seconds"), [("500ms", 0.5), ("10s", 10), ("5m", 300), ("4h", 14400), ("3d", 259200)]
)
def test_durations_are_seconds(written: str, seconds: float) -> None:
    assert loaded(seconds=written).seconds == seconds


@pytest.mark.parametrize("written", ["10", "10 s", "1.5s", "-1s", "s", "", "١s", 10, 10.0, True, None])
def test_what_is_no_duration_is_refused(written: Any) -> None:
    assert "is not a duration" in refused(seconds=written)


@given(st.integers(0, 999_999_999), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_a_duration_written_by_us_means_the_same(number: int, unit: str) -> None:
    seconds = in_seconds(f"{number}{unit}")
    assert in_seconds(written_duration(seconds)) == pytest.approx(seconds)


@pytest.mark.parametrize(("written", "minutes"), [("09:00-18:00", (540, 1080)), ("21:30-08:05", (1290, 485))])
def test_hours_are_minutes_after_midnight_also_over_night(written: str, minutes: tuple[int, int]) -> None:
    assert loaded(hours=written).hours == minutes
    assert written_times(minutes) == written


@pytest.mark.parametrize("written", ["9:00-18:00", "09:00", "24:00-25:00", "09:60-10:00", 540])
def test_what_is_no_span_of_hours_is_refused(written: Any) -> None:
    assert "is not a span of hours" in refused(hours=written)


@pytest.mark.parametrize(
    "url",
    [
        "https://erp.example.com/K3Cloud/",
        *("http://127.0.0.1:8080/K3Cloud/", "http://10.0.0.5/K3Cloud/", "http://192.168.1.2", "http://[fd00::1]/"),
        *("http://localhost/K3Cloud/", "http://erp/K3Cloud/", "http://erp.company.lan/", "http://erp.local/"),
    ],
)
def test_https_anywhere_and_http_inside_a_private_network(url: str) -> None:
    assert loaded(url=url).url == url


@pytest.mark.parametrize("url", ["http://8.8.8.8/", "http://erp.example.com/", "http://[2400::1]/"])
def test_http_across_the_internet_is_refused(url: str) -> None:
    assert "must begin with https" in refused(url=url)


@pytest.mark.parametrize(
    "url", ["", "erp.example.com", "ftp://erp/", "https://", "https://[::1", "https://erp:port/", "https:///K3Cloud/"]
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    assert "is not a web address" in refused(url=url)


def test_a_password_in_an_address_is_refused() -> None:
    assert "must not hold a user or a password" in refused(url="https://admin:hunter2@erp.example.com/")


@pytest.mark.parametrize(
    ("written", "value"), [("on", True), ("Off", False), ("yes", True), ("no", False), (True, True)]
)
def test_switches_may_be_written_in_words(written: Any, value: bool) -> None:
    assert loaded(flag=written).flag is value


@pytest.mark.parametrize("written", ["Asia/Peking", "", "../etc/passwd", 8, ["Asia/Shanghai"]])
def test_what_is_no_time_zone_is_refused(written: Any) -> None:
    assert "is not a time zone" in refused(zone=written)


def test_a_file_is_relative_to_the_one_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    context = {**LOADING, "base": tmp_path}
    assert Values.model_validate({"file": "ca.pem"}, context=context).file == tmp_path / "ca.pem"


@pytest.mark.parametrize("written", ["not-there", "nul\0"])
def test_a_file_that_is_not_there_is_refused(written: str) -> None:
    assert "there is no file" in refused(file=written)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("sqlite:////var/lib/kdsync.db", "sqlite:////var/lib/kdsync.db"),
        ("sqlite:///data/kdsync.db", "sqlite:////etc/kdsync/data/kdsync.db"),
    ],
)
def test_the_stores_file_is_made_absolute(written: str, expected: str) -> None:
    assert StoreSection.model_validate({"url": written}, context=LOADING).url == expected


@pytest.mark.parametrize("written", ["sqlite://", "sqlite:///", "sqlite:///x?mode=ro", "mysql://h/db", "kdsync.db", ""])
def test_what_is_no_store_is_refused(written: str) -> None:
    with pytest.raises(ValidationError):
        StoreSection.model_validate({"url": written}, context=LOADING)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:65535", ("localhost", 65535)),
        ("", None),
    ],
)
def test_where_to_listen(written: str, address: tuple[str, int] | None) -> None:
    assert listen_address(written) == address


@pytest.mark.parametrize("written", ["9464", ":9464", "localhost", "localhost:", "localhost:65536", "localhost:-1"])
def test_where_nothing_can_listen(written: str) -> None:
    with pytest.raises(ValueError, match="is not an address to listen on"):
        listen_address(written)


def test_code_that_makes_its_own_settings_passes_ready_values() -> None:
    section = KingdeeSection(
        url="https://erp/", acct_id="a", username="u", app_id="i", app_secret=SecretStr("hunter2"), timeout=2.5
    )
    assert section.timeout == 2.5
    assert section.app_secret == SecretStr("hunter2")
    assert "hunter2" not in repr(section)
