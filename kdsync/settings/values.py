"""Values that YAML writes as text: times of day, zones, addresses and secrets.

While a file is loaded, the validation context holds `base` (its folder) and `secrets` (see `secrets.py`); without a
context the models take ready values, as code that makes its own settings wants it.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import SecretStr, ValidationInfo

HOURS = "([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]"
FLAGS = {"on": True, "yes": True, "off": False, "no": False}
HOME_DOMAINS = (".localhost", ".local", ".lan", ".internal", ".intranet", ".home.arpa")
SQLITE = "sqlite:///"


def flag(value: Any) -> Any:
    """YAML 1.1's other words for true and false."""
    return FLAGS.get(value.lower(), value) if isinstance(value, str) else value


def times_of_day(value: Any) -> tuple[int, int]:
    """`"09:00-18:00"` as minutes after midnight; the second may be before the first (overnight)."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, str) or not re.fullmatch(HOURS, value):
        raise ValueError('is not a span of hours; write one like "09:00-18:00"')
    start, end = value.split("-")
    return _minutes(start), _minutes(end)


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def written_times(minutes: tuple[int, int]) -> str:
    """Minutes after midnight as `09:00-18:00`."""
    return "-".join(f"{at // 60:02}:{at % 60:02}" for at in minutes)


def zone(value: Any) -> ZoneInfo:
    """An IANA time zone such as `Asia/Shanghai`."""
    try:
        return value if isinstance(value, ZoneInfo) else ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ValueError("is not a time zone; write one like Asia/Shanghai") from None


def web_address(value: str) -> str:
    """`https://…`, or `http://…` where the host is on a private network."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("is not a web address; write one like https://erp.example.com/K3Cloud/") from None
    if parts.scheme not in ("https", "http") or not host:
        raise ValueError("is not a web address; write one like https://erp.example.com/K3Cloud/")
    if parts.username or parts.password:
        raise ValueError("must not hold a user or a password")
    if parts.query or parts.fragment:
        raise ValueError("must end with the path, without ? or #")
    if parts.scheme == "http" and not _is_private(host):
        raise ValueError("must begin with https; http is only for an address inside a private network")
    return value


def _is_private(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith(HOME_DOMAINS)


def organisation(value: Any) -> str:
    """The number of an organisation, which is a text even where it looks like a number; "" for 0."""
    text = str(value)
    if type(value) not in (int, str) or not re.fullmatch(r"[^-\s,][^\s,]{0,79}|", text):
        raise ValueError(
            'is not the number of an organisation; write it in quotes, like "101.1", or 0 for the user\'s own'
        )
    return "" if text == "0" else text


def existing_file(value: Any, info: ValidationInfo) -> Path:
    """A file, relative to the one that names it."""
    if isinstance(value, Path) or not isinstance(value, str) or not info.context:
        return Path(value)
    path = Path(info.context["base"], value)
    if "\0" in value or not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path


def database(value: str, info: ValidationInfo) -> str:
    """The URL of the store, its file made absolute."""
    scheme = value.partition(":")[0].partition("+")[0]
    if scheme in ("postgresql", "postgres"):
        raise ValueError(
            "postgresql is not supported by this version; write one like sqlite:////var/lib/kdsync/kdsync.db"
        )
    if not value.startswith(SQLITE) or not value.removeprefix(SQLITE).strip("/ "):
        raise ValueError("is not the address of a database; write one like sqlite:////var/lib/kdsync/kdsync.db")
    if "?" in value or "\0" in value:
        raise ValueError("must end with the name of the file")
    base = info.context["base"] if info.context else Path()
    return SQLITE + str(Path(base, value.removeprefix(SQLITE)).absolute())


def listen_address(value: str) -> tuple[str, int] | None:
    """`127.0.0.1:9464` or `[::1]:9464` as host and port; None where the text is empty."""
    if not value:
        return None
    host, colon, port = value.rpartition(":")
    if not colon or not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:  # noqa: PLR2004  # TCP's own
        raise ValueError('is not an address to listen on; write one like 127.0.0.1:9464, or "" for none')
    return host.removeprefix("[").removesuffix("]"), int(port)


def listen_text(value: str) -> str:
    """An address that `listen_address` can read."""
    listen_address(value)
    return value


def resolve_secret(value: Any, info: ValidationInfo) -> SecretStr:
    """`{env: NAME}`, `{file: PATH}` or `{credential: NAME}`, read through the `secrets` of the validation context."""
    if isinstance(value, SecretStr) and not info.context:
        return value
    read = (info.context or {}).get("secrets")
    if read is None:
        raise ValueError("secrets can only be read while a file is loaded")
    return SecretStr(read(value))
