from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdsync.settings.secrets import LONGEST, SecretReader

VALUE = "hunter2-hunter2"


def read(written: Any, base: Path = Path(), **environ: str) -> str:
    return SecretReader(base, environ)(written)


def refused(written: Any, base: Path = Path(), **environ: str) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # each test looks at the text
        read(written, base, **environ)
    return str(caught.value)


def test_a_secret_comes_from_a_variable() -> None:
    assert read({"env": "TOKEN"}, TOKEN=VALUE) == VALUE


def test_a_secret_file_is_relative_to_the_file_that_names_it_and_ends_before_its_newline(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{VALUE} \r\n")
    assert read({"file": "token"}, tmp_path) == f"{VALUE} "


def test_a_credential_is_a_file_in_the_folder_that_systemd_names(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(VALUE)
    assert read({"credential": "token"}, CREDENTIALS_DIRECTORY=str(tmp_path)) == VALUE


def test_every_secret_that_was_read_is_known_so_that_logs_can_leave_it_out(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file")
    reader = SecretReader(tmp_path, {"TOKEN": VALUE})
    reader({"env": "TOKEN"})
    reader({"file": "token"})
    assert reader.known == [VALUE, "from-file"]


@pytest.mark.parametrize("written", [VALUE, 12345, None, [VALUE], {"value": VALUE}, {"env": [VALUE]}, {}, {"env": ""}])
def test_a_secret_written_down_is_refused_without_showing_it(written: Any) -> None:
    message = refused(written)
    assert "{env: NAME}" in message
    assert VALUE not in message
    assert "12345" not in message


def test_a_secret_in_the_place_of_a_variables_name_is_not_shown() -> None:
    assert VALUE not in refused({"env": VALUE})


@pytest.mark.parametrize(
    ("written", "environ", "expected"),
    [
        ({"env": "TOKEN"}, {}, "the environment variable TOKEN is not set"),
        ({"env": "TOKEN"}, {"TOKEN": ""}, "the environment variable TOKEN is empty"),
        ({"file": "not-there"}, {}, "not-there cannot be read: No such file or directory"),
        ({"file": "nul\0"}, {}, "cannot be read: not a file name"),
        ({"credential": "token"}, {}, "the credential token cannot be read: $CREDENTIALS_DIRECTORY is not set"),
        ({"credential": "../token"}, {"CREDENTIALS_DIRECTORY": "/"}, "a name without a slash"),
    ],
)
def test_a_secret_that_is_missing_names_where_it_should_be(
    written: Any, environ: dict[str, str], expected: str, tmp_path: Path
) -> None:
    assert expected in refused(written, tmp_path, **environ)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"\xff", "does not hold UTF-8"), (b"x" * (LONGEST + 1), "too long")],
)
def test_a_secret_file_that_holds_no_secret(content: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(content)
    assert expected in refused({"file": "token"}, tmp_path)
