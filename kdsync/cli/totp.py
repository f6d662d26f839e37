"""`kdsync totp enrol | list | remove`: who has one-time codes, for actions with `limit: {above: totp}`."""

from __future__ import annotations

import secrets
import sys
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from kdsync.cli.opened import clock_time, now_of, opened, page, print_json, print_table
from kdsync.clock import KeptClock, SystemClock
from kdsync.commands.onetime import SECRET_BYTES, STEP, address, digits, steps
from kdsync.errors import KdsyncError
from kdsync.services.notices import Notices
from kdsync.settings.load import Loaded
from kdsync.store import codes, ledger, moments
from kdsync.store.codes import Enrolled
from kdsync.store.database import Database
from kdsync.store.sealing import Seal

TRIES = 3
NO_KEY = (
    "the secrets of one-time codes are only kept encrypted: write store.key into kdsync.yaml (key: {file: store.key}, "
    "say, a file with a long random text, as of `openssl rand -base64 32`), restart kdsync, and enrol then"
)


def enrol(config: Path, userid: str, *, confirmed: bool) -> int:
    """Make a secret and show it this once; kept when a code of it was typed, or at once where `confirmed`."""
    with opened(config) as (loaded, database, seal):
        _must_be_possible(loaded, database, seal, userid)
        secret = secrets.token_bytes(SECRET_BYTES)
        _show(address(secret, userid))
        step = 0 if confirmed else _confirmed(database, secret)
        if step is None:
            print(f"Nothing was kept; `kdsync totp enrol {userid}` begins anew.", file=sys.stderr)
            return 1
        with database.write() as tx:
            if not codes.enrol(tx, seal, userid, secret, now_of(tx), step):
                raise KdsyncError(f"{userid} was enrolled meanwhile: nothing was kept of this")
            _tell(tx, loaded, database, seal, "code_enrolled", userid)
    print(f"{userid} is enrolled; the secret is not shown again.")
    return 0


def listing(config: Path, *, json_output: bool) -> int:
    """Who has codes, and who is locked; no secret."""
    with opened(config) as (_loaded, database, _seal), database.read() as tx:
        found, now = codes.listing(tx), now_of(tx)
    if json_output:
        print_json([_plain(one, now) for one in found])
    elif found:
        rows = [(x.userid, _at(x.enrolled_at), x.wrong, _at(_locked(x, now))) for x in found]
        print_table("", ("userid", "enrolled", "wrong codes", "locked until"), rows)
    else:
        page().print("Nobody is enrolled.")
    return 0


def remove(config: Path, userid: str, *, json_output: bool) -> int:
    """Forget somebody's secret: a lost phone, or somebody who left. A lock is gone with it."""
    with opened(config) as (loaded, database, seal), database.write() as tx:
        gone = codes.remove(tx, userid)
        if gone:
            _tell(tx, loaded, database, seal, "code_removed", userid)
    if json_output:
        print_json({"removed": int(gone)})
    else:
        print(f"{userid} has no codes any more" if gone else f"{userid} is not enrolled")
    return 0 if gone else 1


def _tell(tx: Connection, loaded: Loaded, database: Database, seal: Seal, what: str, userid: str) -> None:
    """Whoever has a code of somebody's can confirm in their name, so they and `fallback` hear of each."""
    locales = tuple({"zh", *loaded.settings.directory.locales.values()})
    notices = Notices(database, seal, KeptClock(SystemClock(), now_of(tx)), lambda: loaded.settings, lambda: locales)
    to = dict.fromkeys([f"user:{userid}", *map(str, loaded.settings.main.fallback)])
    notices.tell_within(tx, f"{what} {userid}", what, to=tuple(to), sender=userid)


def _must_be_possible(loaded: Loaded, database: Database, seal: Seal, userid: str) -> None:
    if loaded.settings.main.store.key is None:
        raise KdsyncError(NO_KEY)
    if not userid.strip() or userid != userid.strip():
        raise KdsyncError("USERID is empty, or has blanks around it")
    with database.read() as tx:
        before = codes.find(tx, userid)
        if ledger.check_key(tx, seal) is False:
            raise KdsyncError("kdsync has not run with store.key yet: restart it, and enrol then")
    if before:
        raise KdsyncError(
            f"{userid} is enrolled since {_at(before.enrolled_at)}: `kdsync totp remove {userid}` takes that back first"
        )


def _show(uri: str) -> None:
    """The secret, on the terminal only: as text, and as a picture for the phone."""
    print("Scan this with an authenticator app, or type the secret in. It is shown once.\n")
    if sys.stdout.isatty():
        import segno

        segno.make(uri, error="m").terminal(compact=True)
        print()
    print(uri, flush=True)


def _confirmed(database: Database, secret: bytes) -> int | None:
    """The step of the code that was typed, so that it counts no more; None where none was right."""
    for _ in range(TRIES):
        print("\nThe six digits that the app shows now: ", end="", flush=True)
        typed = sys.stdin.readline()
        if not typed:
            return None
        with database.read() as tx:
            now = now_of(tx)
        found = steps(secret, digits(typed), now.timestamp())
        if found:
            return found[-1]
        print(f"That is not it. A phone's clock may be {STEP} s off; here it is {now.astimezone():%H:%M:%S}.")
    return None


def _plain(one: Enrolled, now: datetime) -> dict[str, object]:
    locked = _locked(one, now)
    return {
        "userid": one.userid,
        "enrolled": moments.text(one.enrolled_at),
        "wrong": one.wrong,
        "locked_until": moments.text(locked) if locked else None,
    }


def _locked(one: Enrolled, now: datetime) -> datetime | None:
    return one.locked_until if one.locked_until and one.locked_until > now else None


def _at(moment: datetime | None) -> str:
    return clock_time(moments.text(moment) if moment else None)
