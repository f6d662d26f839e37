"""Files, rights, disk and store: what stops the daemon on its own machine, and what others could read there."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from kdsync.clock import Clock
from kdsync.doctor import dingtalk, examine, files, store
from kdsync.doctor import service as services
from kdsync.doctor.finding import FAILED, OK, SKIPPED, WARNING, Finding
from kdsync.doctor.service import Service, ourselves, service_of
from kdsync.services.upkeep import month_of
from kdsync.settings.load import Loaded
from kdsync.store import ledger, moments
from kdsync.store.database import Database
from kdsync.store.sealing import Seal
from tests.unit.doctor.conftest import Configure

STRANGER = Service(True, "kdsync", 54321, frozenset({54321}))
DYNAMIC = Service(True, "the service's dynamic user")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Open to everybody, unlike the folders that pytest makes."""
    path = Path(f"/tmp/kdsync-doctor-{os.getpid()}")  # noqa: S108  # others must be able to enter it
    path.mkdir(mode=0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def configure(folder: Path, configure: Configure) -> Configure:
    """The configuration in the open folder."""

    def written(**sections: object) -> Loaded:
        loaded = configure(store={"url": f"sqlite:///{folder}/kdsync.db"}, **sections)
        for file in loaded.files:
            shutil.copy(file, folder)
            (folder / file.name).chmod(0o644)
        moved = tuple(folder / file.name for file in loaded.files)
        settings = loaded.settings.model_copy(update={"base": folder})
        return Loaded(settings, loaded.ruleset, loaded.secrets, moved)

    return written


Stored = Callable[[], Database]


@pytest.fixture
def stored(folder: Path) -> Iterator[Stored]:
    """A store as the daemon leaves it."""
    opened: list[Database] = []

    def made() -> Database:
        database = Database(f"sqlite:///{folder}/kdsync.db")
        opened.append(database)
        database.migrate()
        for file in folder.glob("kdsync.db*"):
            file.chmod(0o600)
        return database

    yield made
    for database in opened:
        database.close()


def by_name(findings: Iterator[Finding]) -> dict[str, Finding]:
    """The worst finding of each name."""
    rank = (SKIPPED, OK, WARNING, FAILED)
    return {one.what: one for one in sorted(findings, key=lambda one: rank.index(one.result))}


def test_a_configuration_that_the_services_user_may_not_read(configure: Configure, folder: Path) -> None:
    loaded = configure()
    assert by_name(files.examine(loaded, STRANGER))["configuration"].result == OK
    (folder / "rules.yaml").chmod(0o600)
    found = by_name(files.examine(loaded, STRANGER))["configuration"]
    assert found.result == FAILED
    assert "kdsync may not read" in found.detail
    assert "mode 600" in found.detail
    assert "chmod" in found.cure


@pytest.mark.parametrize("service", [STRANGER, DYNAMIC])
def test_a_folder_that_is_closed_to_the_services_user(configure: Configure, folder: Path, service: Service) -> None:
    loaded = configure()
    folder.chmod(0o750)
    found = by_name(files.examine(loaded, service))["configuration"]
    assert found.result == FAILED
    assert f"may not enter {folder}" in found.detail


def test_a_configuration_that_anybody_can_change(configure: Configure, folder: Path) -> None:
    loaded = configure()
    (folder / "rules.yaml").chmod(0o666)
    found = by_name(files.examine(loaded, STRANGER))["configuration"]
    assert found.result == WARNING
    assert "chmod o-w" in found.cure


def test_secrets_that_anybody_can_read(configure: Configure, folder: Path, tmp_path: Path) -> None:
    for place in (folder, tmp_path):
        (place / "robot").write_text("a" * 64)
    loaded = configure(dt={"groups": {"finance": {"token": {"file": "robot"}}}})
    (folder / "robot").chmod(0o644)
    found = by_name(files.examine(loaded, ourselves()))["secrets"]
    assert found.result == WARNING
    assert f"chmod 600 {folder}/robot" in found.cure
    (folder / "robot").chmod(0o600)
    assert by_name(files.examine(loaded, ourselves()))["secrets"].result == OK
    assert by_name(files.examine(loaded, STRANGER))["secrets"].result == FAILED


def test_a_credential_that_anybody_can_read(
    configure: Configure, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "robot").write_text("a" * 64)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    (tmp_path / "robot").write_text("a" * 64)
    loaded = configure(dt={"groups": {"finance": {"token": {"file": "robot"}}}})
    main = folder / "kdsync.yaml"
    main.write_text(main.read_text().replace("file: robot", "credential: robot"))
    (folder / "robot").chmod(0o640)
    assert by_name(files.examine(loaded, STRANGER))["secrets"].result == OK
    (folder / "robot").chmod(0o644)
    assert by_name(files.examine(loaded, STRANGER))["secrets"].result == WARNING


def test_before_the_first_start(configure: Configure, folder: Path, clock: Clock) -> None:
    found = by_name(store.examine(configure(), clock, ourselves()))
    assert found["store"].result == OK
    assert "first start" in found["store"].detail
    assert not list(folder.glob("kdsync.db*"))


def test_what_is_left_of_a_store_keeps_the_daemon_from_starting(
    configure: Configure, folder: Path, clock: Clock
) -> None:
    (folder / "kdsync.db-wal").write_text("transactions")
    found = by_name(store.examine(configure(), clock, ourselves()))["store"]
    assert found.result == FAILED
    assert "move the -wal file away" in found.cure


def test_a_file_system_that_is_mounted_read_only(
    configure: Configure, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_files=0, f_flag=os.ST_RDONLY))
    found = by_name(store.examine(configure(), clock, ourselves()))["store"]
    assert found.result == FAILED
    assert "read-only" in found.detail
    assert "mount it writable" in found.cure


def test_a_store_that_another_program_keeps_locked_is_not_to_be_replaced(
    configure: Configure, clock: Clock, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored().close()
    loaded = configure()
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, **options | {"timeout": 0.01}))
    with closing(connect(loaded.settings.main.store.url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        found = by_name(store.examine(loaded, clock, ourselves()))["store"]
    assert found.result == FAILED
    assert "locked" in found.detail
    assert "close it" in found.cure


def test_a_store_folder_that_is_not_there(configure: Configure, folder: Path, clock: Clock) -> None:
    loaded = configure()
    shutil.rmtree(folder)
    missing = by_name(store.examine(loaded, clock, ourselves()))["store"]
    assert missing.result == FAILED
    assert "StateDirectory" in missing.cure
    assert by_name(store.examine(loaded, clock, DYNAMIC))["store"].result == OK
    folder.mkdir()


def test_a_store_folder_of_another_user(configure: Configure, clock: Clock) -> None:
    found = by_name(store.examine(configure(), clock, STRANGER))["store"]
    assert found.result == FAILED
    assert "kdsync may not write" in found.detail


def test_a_file_beside_the_database_that_root_made(
    configure: Configure, folder: Path, clock: Clock, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored()
    monkeypatch.setattr(Service, "closed", lambda _self, path, _ways: "no" if path.name == "kdsync.db.lock" else "")
    (folder / "kdsync.db.lock").touch()
    findings = list(store.examine(configure(), clock, STRANGER))
    assert [one.detail for one in findings if one.result == FAILED] == ["no"]
    assert any("chown" in one.cure for one in findings)


@pytest.mark.parametrize(("free", "result"), [(10, FAILED), (400, WARNING), (900, OK)])
def test_room_on_the_disk(
    configure: Configure, clock: Clock, monkeypatch: pytest.MonkeyPatch, free: int, result: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free * 2**20))
    found = by_name(store.examine(configure(), clock, ourselves()))["disk"]
    assert found.result == result
    assert bool(found.cure) == (result != OK)


def test_a_disk_that_takes_no_more_files(configure: Configure, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_files=10, f_favail=0, f_flag=0))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=2**40))
    found = by_name(store.examine(configure(), clock, ourselves()))["disk"]
    assert found.result == FAILED
    assert "inodes" in found.detail


def test_a_store_is_looked_at_and_left_as_it_is(
    configure: Configure, folder: Path, clock: Clock, stored: Stored
) -> None:
    stored().close()
    before = (folder / "kdsync.db").read_bytes()
    found = by_name(store.examine(configure(), clock, ourselves()))["store"]
    assert found.result == OK
    assert "undamaged" in found.detail
    assert (folder / "kdsync.db").read_bytes() == before


def test_a_store_that_the_doctor_itself_may_only_read(
    configure: Configure, clock: Clock, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and real(path, mode))
    monkeypatch.setattr(Service, "closed", lambda *_: "")
    findings = list(store.examine(configure(), clock, STRANGER))
    assert findings[-1].result == SKIPPED
    assert "as root" in findings[-1].detail


def test_documents_that_anybody_can_read(configure: Configure, folder: Path, clock: Clock, stored: Stored) -> None:
    stored()
    (folder / "kdsync.db").chmod(0o644)
    found = by_name(store.examine(configure(), clock, ourselves()))["store"]
    assert found.result == WARNING
    assert "chmod 600" in found.cure


def test_a_damaged_store(configure: Configure, folder: Path, clock: Clock, stored: Stored) -> None:
    stored().close()
    path = folder / "kdsync.db"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + b"\xff" * (len(data) // 2))
    found = by_name(store.examine(configure(), clock, ourselves()))["store"]
    assert found.result == FAILED
    assert "restore" in found.cure


def test_a_store_that_is_no_database(configure: Configure, folder: Path, clock: Clock) -> None:
    (folder / "kdsync.db").write_text("something else altogether, and long enough to be looked at" * 20)
    found = by_name(store.examine(configure(), clock, ourselves()))["store"]
    assert found.result == FAILED
    assert "file is not a database" in found.detail


@pytest.mark.parametrize(("version", "what", "result"), [("9999", "store", FAILED), ("0001", "store tables", OK)])
def test_a_store_of_another_version_is_not_touched(
    configure: Configure, folder: Path, clock: Clock, stored: Stored, version: str, what: str, result: str
) -> None:
    stored().close()
    with sqlite3.connect(folder / "kdsync.db") as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (version,))
    database.close()
    findings = list(store.examine(configure(), clock, ourselves()))
    assert (findings[-1].what, findings[-1].result) == (what, result)
    with sqlite3.connect(folder / "kdsync.db") as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchone() == (version,)
    database.close()


def test_what_the_daemon_left_in_the_store(configure: Configure, clock: Clock, stored: Stored) -> None:
    loaded, database = configure(), stored()
    assert by_name(store.daily(loaded, database, clock))["daemon"].result == SKIPPED
    now = datetime.now(UTC)
    with database.write() as tx:
        ledger.put_fact(tx, ledger.SIGN, moments.text(now), now - timedelta(hours=3))
    found = by_name(store.daily(loaded, database, clock))
    assert found["daemon"].result == WARNING
    assert "journalctl" in found["daemon"].cure
    with database.write() as tx:
        ledger.put_fact(tx, ledger.SIGN, moments.text(now), now)
    assert by_name(store.daily(loaded, database, clock))["daemon"].result == OK


def test_the_months_calls(configure: Configure, clock: Clock, stored: Stored) -> None:
    loaded, database = configure(), stored()
    for more, result in ((0, OK), (4500, WARNING), (500, FAILED)):
        with database.write() as tx:
            ledger.count_call(tx, month_of(clock.now()), "send", metered=True, count=more)
        found = dingtalk._quota(loaded, clock, database)
        assert found.result == result
        assert bool(found.cure) == (result != OK)


def test_another_key_than_the_stores(configure: Configure, clock: Clock, stored: Stored) -> None:
    database = stored()
    with database.write() as tx:
        ledger.prove_key(tx, Seal("the key"), datetime.now(UTC))
    found = by_name(store.daily(configure(), database, clock))["store key"]
    assert found.result == FAILED
    assert "store.key" in found.cure


def test_a_mistake_of_the_doctors_own_leaves_the_rest(
    configure: Configure, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Iterator[Finding]:
        yield from (Finding("never", str(1 // zero)) for zero in (0,))

    monkeypatch.setattr(files, "examine", broken)
    found = by_name(examine(configure(), clock, ourselves()))
    assert "ZeroDivisionError" in found["files"].detail
    assert found["kingdee login"].result == OK


def test_the_user_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"LoadState": "loaded", "User": "", "DynamicUser": "yes", "Environment": 'HTTPS_PROXY=http://p "A=b c"'}
    monkeypatch.setattr(services, "_told", lambda _unit: told)
    stopped = service_of()
    assert (stopped.installed, stopped.uid, stopped.running) == (True, None, False)
    assert stopped.environment == {"HTTPS_PROXY": "http://p", "A": "b c"}
    told |= {"MainPID": str(os.getpid())}
    running = service_of()
    assert (running.uid, running.running) == (os.geteuid(), True)
    assert running.environment.get("PATH")
    told |= {"MainPID": "0", "DynamicUser": "no", "User": "nobody"}
    assert (service_of().user, service_of().running) == ("nobody", False)
    told |= {"User": "no-such-user"}
    assert service_of().uid is None
    told |= {"LoadState": "not-found"}
    assert service_of() == ourselves()
