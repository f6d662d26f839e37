"""Where the lines of the log go. A disk that is full must not end, or twist, what the log only tells about: a line that
cannot be written is counted, and the gap is told as soon as there is room again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TextIO


class Lines:
    """A logger for structlog, and its factory: whole lines, one after the other, from whichever thread.

    `trouble` is why lines are lost now, or ""; `on_gap` gets how many were lost, and why, once there is room again.
    """

    def __init__(self, stream: TextIO, on_gap: Callable[[int, str], None]) -> None:
        self._encoding = stream.encoding or "utf-8"
        self._write = _writer(stream, self._encoding)
        self._on_gap = on_gap
        self._lock = threading.Lock()
        self._lost = 0
        self._torn = False
        self.trouble = ""

    def __call__(self, *_: Any) -> Lines:
        return self

    def msg(self, line: str) -> None:
        """Write it if it can be written."""
        with self._lock:
            try:
                self._put(f"{line}\n".encode(self._encoding, "backslashreplace"))
            except (OSError, ValueError) as error:  # no room, nobody who reads it, a file that is closed
                self._lost += 1
                self.trouble = getattr(error, "strerror", None) or str(error)
                return
            lost, why = self._lost, self.trouble
            self._lost, self.trouble = 0, ""
        if lost:
            self._on_gap(lost, why)

    log = debug = info = warn = warning = err = error = fatal = critical = failure = exception = msg

    def _put(self, line: bytes) -> None:
        """What was begun before is no line; this one is on its own."""
        left = b"\n" + line if self._torn else line
        while left:
            left = left[self._write(left) :]
            self._torn = bool(left)


def _writer(stream: TextIO, encoding: str) -> Callable[[bytes], int]:
    """Straight to the file: what a buffer held back would be written later, or end the process with an error of its
    own."""
    try:
        file = stream.fileno()
    except OSError:  # it is no file at all

        def write(line: bytes) -> int:
            stream.write(line.decode(encoding))
            return len(line)

        return write
    return lambda line: os.write(file, line)
