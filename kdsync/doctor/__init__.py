"""Everything kdsync needs to work, tried one thing after another; a failure comes with its likely cause and cure.

Nobody is told anything, nothing is written in Kingdee, a failing step skips only what depends on it, and each step has
its time. It runs beside a running daemon, whose store it only reads, except for the counts they share: refused
passwords and metered calls.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from kdsync.clock import Clock
from kdsync.doctor import codes, dingtalk, files, kingdee, network, store
from kdsync.doctor.finding import FAILED, REPORT, Finding, Walk
from kdsync.doctor.service import Service, service_of
from kdsync.settings.load import Loaded
from kdsync.store.database import Database


def examine(loaded: Loaded, clock: Clock, service: Service | None = None) -> Iterator[Finding]:
    """Every check, as it is made."""
    service = service or service_of()
    yield from _whole("files", files.examine(loaded, service))
    usable: list[bool] = []
    yield from _whole("store", _noting(store.examine(loaded, clock, service), usable))
    database = Database(loaded.settings.main.store.url) if any(usable) else None
    try:
        if database:
            yield from _whole("store", store.daily(loaded, database, clock))
        yield from _whole("one-time codes", codes.examine(loaded, database, clock))
        yield from _whole("proxy", network.proxies(service, os.environ))
        yield from _whole("kingdee", kingdee.examine(loaded, clock, database))
        yield from _whole("dingtalk", dingtalk.examine(loaded, clock, database))
    finally:
        if database:
            database.close()


def _noting(walk: Walk, usable: list[bool]) -> Iterator[Finding]:
    usable.append((yield from walk))


def _whole(what: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """A mistake of kdsync's own in one part leaves the others to be examined."""
    try:
        yield from findings
    except Exception as error:  # noqa: BLE001  # it is told, in the place of what it kept from being tried
        yield Finding(what, FAILED, f"kdsync itself stumbled: {type(error).__name__}: {error}", REPORT)
