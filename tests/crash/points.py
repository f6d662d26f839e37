"""The named points of a daemon: each transaction by the function that opens it, each call by its service.

Nothing of this is in the product: the points are put around it in the process that is to be killed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol
from unittest.mock import patch

from alembic.runtime.migration import HeadMaintainer
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from kdsync.dingtalk.line import Door, Line
from kdsync.dingtalk.transport import Transport as DingTalkTransport
from kdsync.kingdee.transport import Transport as KingdeeTransport
from kdsync.store.database import Database

When = Literal["before", "after"]
MIGRATION = "database.Database._upgrade"
PROBES = ("kingdee /", "dingtalk /")  # whatever is answered tells the clock
FILE = "dingtalk file"  # from wherever DingTalk keeps it
STREAM = ("stream open", "stream send")  # the second answers what was pushed


@dataclass(frozen=True, slots=True)
class Blow:
    """What happens at the `nth` time that a process comes to a point.

    `before` is before a commit, when all its rows are written, or before a call is sent; `after` is after the commit,
    or when the call was carried out and its answer has not been looked at.
    """

    point: str
    when: When
    nth: int = 1


def remaining(blows: tuple[Blow, ...], reached: Sequence[str]) -> tuple[Blow, ...]:
    """`blows` without the first that was due to a process that came to these points, each `when name`."""
    count: Counter[str] = Counter()
    for at in reached:
        count[at] += 1
        for blow in blows:
            if at == f"{blow.when} {blow.point}" and count[at] == blow.nth:
                return tuple(one for one in blows if one is not blow)
    return blows


class Stroke(Protocol):
    """What a process does to itself at a point."""

    def __call__(self) -> None: ...


def die() -> None:
    """As the kernel's memory killer or a power cut has it."""
    os.kill(os.getpid(), signal.SIGKILL)


def full_disk() -> None:
    """SQLite's own words for it."""
    raise OperationalError("COMMIT", {}, Exception("database or disk is full"))


@dataclass(slots=True)
class Track:
    """Notes each point that is reached in a file, and strikes at some of them."""

    file: Path
    blows: tuple[Blow, ...]
    stroke: Stroke
    _count: Counter[tuple[str, When]] = field(default_factory=Counter)

    def at(self, point: str, when: When) -> None:
        self._count[point, when] += 1
        with self.file.open("ab", buffering=0) as file:
            file.write(f"{os.getpid()} {when} {point}\n".encode())
        if Blow(point, when, self._count[point, when]) in self.blows:
            self.stroke()

    def surround(self) -> None:
        """Put the points around everything that this process commits and calls."""
        self._commits()
        self._migration()
        self._calls()
        self._stream()

    def _commits(self) -> None:
        write = Database.write

        def named(database: Database) -> Any:
            return self._written(write, database, name_of(sys._getframe(1)))

        patch.object(Database, "write", named).start()

    @contextmanager
    def _written(self, write: Callable[[Database], Any], database: Database, point: str) -> Iterator[Connection]:
        with write(database) as tx:
            yield tx
            self.at(point, "before")
        self.at(point, "after")

    def _migration(self) -> None:
        """Each migration is a transaction of its own, which ends by noting its number."""
        note, whole = HeadMaintainer.update_to_step, Database._upgrade

        def noted(maintainer: HeadMaintainer, step: Any) -> None:
            note(maintainer, step)
            self.at(MIGRATION, "before")

        def done(database: Database) -> None:
            whole(database)
            self.at(MIGRATION, "after")

        patch.object(HeadMaintainer, "update_to_step", noted).start()
        patch.object(Database, "_upgrade", done).start()

    def _calls(self) -> None:
        post, probe = KingdeeTransport.post, KingdeeTransport.probe
        exchange, fetch = DingTalkTransport.exchange, DingTalkTransport.fetch

        def posted(transport: KingdeeTransport, service: str, *args: Any, **more: Any) -> Any:
            return self._called(f"kingdee {service.rpartition('.')[2]}", post, transport, service, *args, **more)

        def probed(transport: KingdeeTransport) -> None:
            self._called(PROBES[0], probe, transport)

        def exchanged(transport: DingTalkTransport, request: Any) -> Any:
            api = request.url.split("/", 3)[3].partition("?")[0]
            return self._called(f"dingtalk {api or '/'}", exchange, transport, request)

        def fetched(transport: DingTalkTransport, url: str, most: int) -> Any:
            return self._called(FILE, fetch, transport, url, most)

        patch.object(KingdeeTransport, "post", posted).start()
        patch.object(KingdeeTransport, "probe", probed).start()
        patch.object(DingTalkTransport, "exchange", exchanged).start()
        patch.object(DingTalkTransport, "fetch", fetched).start()

    def _stream(self) -> None:
        connect, send = Door._connect, Line.send

        def connected(door: Door, *args: Any) -> Any:
            return self._called(STREAM[0], connect, door, *args)

        def sent(line: Line, text: str) -> None:
            self._called(STREAM[1], send, line, text)

        patch.object(Door, "_connect", connected).start()
        patch.object(Line, "send", sent).start()

    def _called(self, point: str, call: Callable[..., Any], *args: Any, **more: Any) -> Any:
        self.at(point, "before")
        try:
            return call(*args, **more)
        finally:
            self.at(point, "after")


def name_of(frame: Any) -> str:
    """`module.Class.function` of a frame."""
    return f"{frame.f_globals['__name__'].rpartition('.')[2]}.{frame.f_code.co_qualname}"
