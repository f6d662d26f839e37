"""The store: room, rights, whether the database is whole, and what the daemon wrote into it last."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import make_url

from kdsync.clock import Clock
from kdsync.doctor.finding import CURES, FAILED, OK, REPORT, SKIPPED, WARNING, Finding, Walk
from kdsync.doctor.service import Service
from kdsync.errors import StoreError
from kdsync.settings.load import Loaded
from kdsync.store import holds, ledger, outbox
from kdsync.store.database import HEAD, Database
from kdsync.store.holds import Hold
from kdsync.store.sealing import Seal
from kdsync.store.trouble import cure_of, refuse_remains

LITTLE, NOTHING = 500 * 2**20, 50 * 2**20  # bytes
CHECK_SECONDS = 20.0
ALIVE = timedelta(minutes=1)
RESTORE = (
    "stop kdsync, keep a copy of it, and restore the last good one with its -wal file; moved away, kdsync begins anew"
)
SETTLED = "chown the file to the user of the service; run kdsync's commands as that user, or as root"


def path_of(loaded: Loaded) -> Path:
    """Where the database is, or will be."""
    return Path(make_url(loaded.settings.main.store.url).database or "")


def examine(loaded: Loaded, clock: Clock, service: Service) -> Walk:
    """Room, rights and state; in the end whether the database can be used."""
    path = path_of(loaded)
    if not (yield from _folder(path.parent, service)):
        return False
    yield _disk(path.parent)
    if not path.exists():
        yield _missing(path)
        return False
    usable = yield from _files(path, service)
    if not usable or not (yield from _database(path, clock)):
        return False
    if not os.access(path, os.W_OK):
        told = "run the doctor as root or as the service's user to learn what the daemon left in the store"
        yield Finding("daemon", SKIPPED, told)
        return False
    return True


def _folder(folder: Path, service: Service) -> Walk:
    if not folder.is_dir():
        if service.installed:
            yield Finding("store", OK, f"{folder} is not there yet; systemd's StateDirectory= makes it")
        else:
            cure = f"create {folder} and give it to the user kdsync runs as; systemd's StateDirectory=kdsync does both"
            yield Finding("store", FAILED, f"there is no folder {folder}", cure)
        return False
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        cure = f"mount it writable (findmnt -T {folder}); a disk that fails is made read-only by the system: dmesg"
        yield Finding("store", FAILED, f"{folder} is on a file system that is mounted read-only", cure)
        return False
    reason = service.closed(folder, "rwx")
    if reason and not (service.installed and service.uid is None):  # systemd gives it to a dynamic user at the start
        yield Finding("store", FAILED, reason, f"give {folder} to that user, mode 700")
        return False
    return True


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    entries = os.statvfs(folder)
    detail = f"{free // 2**20:,} MiB free in {folder}"
    if entries.f_files and not entries.f_favail:
        return Finding("disk", FAILED, f"no file can be made any more in {folder} (no inodes)", "delete files")
    if free < NOTHING:
        return Finding("disk", FAILED, detail, "make room: kdsync stops noticing when the disk is full")
    if free < LITTLE:
        return Finding("disk", WARNING, detail, "make room")
    return Finding("disk", OK, detail)


def _missing(path: Path) -> Finding:
    try:
        refuse_remains(str(path))
    except StoreError:
        detail = f"{path} is gone, but its -wal file is still there and holds what was written last"
        return Finding("store", FAILED, detail, "put the file back; to begin anew, move the -wal file away")
    return Finding("store", OK, f"{path} will be made at the first start")


def _files(path: Path, service: Service) -> Walk:
    """The database and what SQLite keeps beside it: another owner there stops the daemon."""
    usable = True
    for file in [path, *(Path(f"{path}{end}") for end in ("-wal", "-shm", ".lock"))]:
        if not file.exists():
            continue
        reason = service.closed(file, "rw")
        if reason and not (service.installed and service.uid is None):
            usable = False
            yield Finding("store", FAILED, reason, SETTLED)
    others = Service(user="others")
    if not others.closed(path, "r"):
        mode = stat.S_IMODE(path.stat().st_mode)
        detail = f"anybody on this machine can read the documents in {path} (mode {mode:03o})"
        yield Finding("store", WARNING, detail, f"chmod 600 {path}*; chmod 700 {path.parent}")
    return usable and os.access(path, os.R_OK)


def _database(path: Path, clock: Clock) -> Walk:
    """Read it without changing anything, beside a daemon that writes."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5.0)) as database:
            version = _version(database)
            whole, told = _whole(database, clock)
    except sqlite3.Error as error:
        damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
        yield Finding("store", FAILED, f"{path} cannot be read: {error}", RESTORE if damaged else cure_of(str(error)))
        return False
    if not whole:
        yield Finding("store", FAILED, f"{path} is damaged: {told}", RESTORE)
        return False
    size = sum(file.stat().st_size for end in ("", "-wal") if (file := Path(f"{path}{end}")).exists())
    if version > HEAD:
        told = f"{path} was made by a newer kdsync (tables {version}, known {HEAD})"
        yield Finding("store", FAILED, told, "install that version again; this one cannot use the store")
        return False
    yield Finding("store", OK, f"{path}, {size / 2**20:,.1f} MiB, {told}")
    if version < HEAD:
        yield Finding("store tables", OK, f"{version or 'none'}; the next start brings them to {HEAD}")
    return version == HEAD


def _version(database: sqlite3.Connection) -> str:
    there = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    row = database.execute("SELECT version_num FROM alembic_version").fetchone() if there else None
    return str(row[0]) if row else ""


def _whole(database: sqlite3.Connection, clock: Clock) -> tuple[bool, str]:
    end = clock.monotonic() + CHECK_SECONDS
    database.set_progress_handler(lambda: clock.monotonic() > end, 100_000)
    try:
        rows = [str(row[0]) for row in database.execute("PRAGMA quick_check(3)")]
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        return True, f"no damage found in {CHECK_SECONDS:.0f} s"
    return rows == ["ok"], "undamaged" if rows == ["ok"] else "; ".join(rows)


def daily(loaded: Loaded, database: Database, clock: Clock) -> Iterator[Finding]:
    """What the daemon left in the store: its sign of life, and what it holds back."""
    now = clock.now()
    key = loaded.settings.main.store.key
    try:
        with database.read() as tx:
            ledger.check_key(tx, Seal.of(key))
            alive = ledger.sign_of_life(tx)
            held = [hold for hold in holds.every(tx).values() if hold.is_open]
            dead = outbox.counts(tx).get(outbox.DEAD, 0)
    except StoreError as error:
        yield Finding("store key", FAILED, str(error), "set store.key to the key that the store was begun with")
        return
    yield _life(alive, now)
    yield from map(_hold, held)
    if dead:
        yield Finding(
            "outbox",
            WARNING,
            f"{dead} messages could not be delivered",
            "kdsync outbox list shows them; retry or drop them there",
        )


def _life(alive: tuple[datetime, datetime] | None, now: datetime) -> Finding:
    if alive is None:
        return Finding("daemon", SKIPPED, "it has not run yet")
    last = alive[1]  # by this machine's clock
    if abs(now - last) < ALIVE:
        return Finding("daemon", OK, f"it lives; last heard of {last.astimezone():%H:%M:%S}")
    detail = f"it does not run, or hangs; last heard of {last.astimezone():%Y-%m-%d %H:%M:%S}"
    return Finding("daemon", WARNING, detail, "systemctl status kdsync; journalctl -u kdsync -n 50 -o cat")


def _hold(hold: Hold) -> Finding:
    """What the daemon itself met when it called."""
    since, until = hold.since.astimezone(), hold.until.astimezone()
    detail = f"down since {since:%Y-%m-%d %H:%M:%S}, tried again at {until:%H:%M:%S}: {hold.reason}"
    return Finding(f"daemon {hold.name}", FAILED, detail, hold.cure or CURES.get(hold.kind, REPORT))
