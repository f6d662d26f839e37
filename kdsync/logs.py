"""Structured logs: one JSON object a line, or coloured text on a terminal; never a secret in either."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO

import structlog

from kdsync.lines import Lines

HIDDEN = "***"
INFO = 6
PRIORITIES = {"debug": 7, "info": INFO, "warning": 4, "error": 3, "critical": 2}
"""Of syslog, for `journalctl -p`."""
SHORTEST = 4  # a shorter secret would hide words


class Redactor:
    """Replaces the known secrets in whatever is logged; secrets can be added while it runs (a reload, a new token)."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: tuple[str, ...] = ()
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Hide these too. The longest comes first: of one that another one is a part of nothing may stay."""
        known = {*self._secrets, *(secret for secret in secrets if len(secret) >= SHORTEST)}
        self._secrets = tuple(sorted(known, key=len, reverse=True))

    def text(self, text: str) -> str:
        """`text` without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def __call__(self, _logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """As a structlog processor."""
        for key, value in event.items():
            event[key] = self._clean(value)
        return event

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, (list, tuple)):
            return [self._clean(item) for item in value]
        if isinstance(value, dict):
            return {key: self._clean(item) for key, item in value.items()}
        return value if isinstance(value, (int, float, bool, type(None))) else self.text(str(value))


def configure(redactor: Redactor, *, stream: TextIO | None = None, level: str = "info") -> None:
    """Set up structlog and what libraries log through `logging`."""
    target = stream or sys.stdout
    renderer, lines = _renderer(target), Lines(target, _tell_of_a_gap)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, redactor, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lines,
        cache_logger_on_first_use=False,
    )
    _route_libraries(shared, redactor, renderer, lines)


def trouble() -> str:
    """Why lines of the log are lost now; "" where they are not."""
    lines = structlog.get_config()["logger_factory"]
    return lines.trouble if isinstance(lines, Lines) else ""


def _tell_of_a_gap(count: int, why: str) -> None:
    get("log").warning("log.gap", lines=count, error=why)


def _renderer(target: TextIO) -> Any:
    if target.isatty():
        return structlog.dev.ConsoleRenderer(colors=True)
    as_json = structlog.processors.JSONRenderer(ensure_ascii=False)

    def with_priority(logger: Any, name: str, line: MutableMapping[str, Any]) -> str:
        return f"<{PRIORITIES.get(str(line.get('level')), INFO)}>{as_json(logger, name, line)!s}"

    return with_priority if _is_journal(target) else as_json


def _is_journal(target: TextIO) -> bool:
    """Whether systemd reads it, and takes the level off that stands before a line (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        found = os.fstat(target.fileno())
    except OSError:  # it is no file at all
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


@contextmanager
def silent() -> Iterator[None]:
    """Log nothing inside: for commands that tell in their own words, perhaps as JSON, what a log would."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def _of_a_library(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What a library says in its own words is no name of an event."""
    message, record = line["event"], line["_record"]
    return {**line, "part": record.name, "event": "library.logged", "message": message}


class _OfLibraries(logging.Handler):
    """Their lines among ours."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.msg(self.format(record))
        except Exception:  # noqa: BLE001  # as handlers do: a line that cannot be put into words ends nothing
            self.handleError(record)


def _route_libraries(shared: list[Any], redactor: Redactor, renderer: Any, lines: Lines) -> None:
    handler = _OfLibraries(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _of_a_library, redactor],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


class _Voice:
    """A logger of one part, which speaks through the set-up that is in force, redaction included.

    Modules ask for it before `configure` has run. It is bound anew only when the set-up has changed, because binding
    costs more than a line that is filtered out.
    """

    def __init__(self, part: str) -> None:
        self._part = part
        self._setup: dict[str, Any] = {}
        self._bound: Any = None

    def __getattr__(self, name: str) -> Any:
        setup = structlog.get_config()
        if setup != self._setup:
            self._setup, self._bound = setup, structlog.get_logger(part=self._part).bind()
        return getattr(self._bound, name)


def get(name: str) -> Any:
    """A bound logger; `name` is the part of kdsync that speaks."""
    return _Voice(name)
