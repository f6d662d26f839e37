"""One-time codes: whether those who need them have them, whether they can be read, and who is locked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection

from kdsync.clock import Clock
from kdsync.doctor.finding import FAILED, OK, SKIPPED, WARNING, Finding
from kdsync.doctor.store import path_of
from kdsync.errors import StoreError
from kdsync.settings.enrolment import Coverage, coverage
from kdsync.settings.load import Loaded
from kdsync.store import codes
from kdsync.store.codes import Enrolled
from kdsync.store.database import Database
from kdsync.store.sealing import Seal

WHAT = "one-time codes"


def examine(loaded: Loaded, database: Database | None, clock: Clock) -> Iterator[Finding]:
    """Nothing where no action takes codes, and nobody has any."""
    takes = any(action.takes_code for action in loaded.actions)
    if database:
        with database.read() as tx:
            enrolled = codes.listing(tx)
            yield from _unreadable(tx, Seal.of(loaded.settings.main.store.key), enrolled)
        yield from _locked(enrolled, clock.now())
    elif takes and path_of(loaded).exists():
        yield Finding(WHAT, SKIPPED, "the store cannot be read, so nobody knows who is enrolled")
        return
    else:
        enrolled = []
    yield from _covered(loaded, [one.userid for one in enrolled])


def _unreadable(tx: Connection, seal: Seal, enrolled: Sequence[Enrolled]) -> Iterator[Finding]:
    for one in enrolled:
        try:
            codes.secret(tx, seal, one.userid)
        except StoreError as error:
            cure = f"set store.key to the key of then, or: kdsync totp remove {one.userid}, and enrol anew"
            yield Finding(WHAT, FAILED, f"no code of {one.userid} can be right: {error}", cure)


def _locked(enrolled: Sequence[Enrolled], now: datetime) -> Iterator[Finding]:
    for one in enrolled:
        if one.locked_until and one.locked_until > now:
            detail = f"{one.userid} is locked until {one.locked_until.astimezone():%H:%M:%S}: five were wrong in a row"
            cure = f"ask them whether it was they; kdsync totp remove {one.userid}, and enrolling anew, ends it"
            yield Finding(WHAT, WARNING, detail, cure)


def _covered(loaded: Loaded, enrolled: Sequence[str]) -> Iterator[Finding]:
    covered = list(coverage(loaded.actions, loaded.settings.directory.roles, enrolled))
    yield from (Finding(WHAT, WARNING, one.lack, one.cure) for one in covered if one.lack)
    if not any(one.open_ended for one in covered):
        may = {userid for one in covered for userid in one.named}
        for userid in enrolled:
            if userid not in may:
                detail = f"{userid} is enrolled, and no action takes a code of theirs"
                yield Finding(WHAT, WARNING, detail, f"kdsync totp remove {userid}")
    if covered and not any(one.lack for one in covered):
        yield Finding(WHAT, OK, _told(covered, enrolled))


def _told(covered: Sequence[Coverage], enrolled: Sequence[str]) -> str:
    without = list(dict.fromkeys(userid for one in covered for userid in one.without))
    lacking = f"; not enrolled, though they may: {', '.join(without)}" if without else ""
    return f"{len(enrolled)} enrolled{lacking}"
