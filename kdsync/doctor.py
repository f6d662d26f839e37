"""Everything kdsync needs to work, tried one thing after another; a failure comes with its likely cause and cure."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from sqlalchemy.engine import make_url

from kdsync import probes
from kdsync.bridges import KingdeeSource
from kdsync.clock import Clock
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.contacts import Contacts
from kdsync.errors import EdgeError, StoreError
from kdsync.kingdee.client import KingdeeClient
from kdsync.server_clock import ServerClock
from kdsync.services.upkeep import month_of
from kdsync.settings.load import Loaded
from kdsync.store import ledger
from kdsync.store.database import Database

OK, WARNING, FAILED, SKIPPED = "ok", "warning", "failed", "skipped"
SKEW = 60.0  # seconds; beyond that signatures are only right because kdsync corrects them
LITTLE_DISK = 500 * 1024 * 1024
CONNECT = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor: what was tried, how it went, and what to do about it."""

    what: str
    result: str
    detail: str = ""
    cure: str = ""


def examine(loaded: Loaded, clock: Clock) -> Iterator[Finding]:
    """Every check, as it is made."""
    yield from _machine(loaded)
    yield from _kingdee(loaded, clock)
    yield from _dingtalk(loaded, clock)


def _machine(loaded: Loaded) -> Iterator[Finding]:
    path = Path(make_url(loaded.settings.main.store.url).database or "")
    folder = path.parent
    if not os.access(folder, os.W_OK):
        cure = f"create {folder} and give it to the user kdsync runs as; systemd's StateDirectory=kdsync does both"
        yield Finding("store", FAILED, f"{folder} cannot be written", cure)
        return
    free = shutil.disk_usage(folder).free
    result = OK if free > LITTLE_DISK else WARNING
    yield Finding("disk", result, f"{free // 2**20:,} MiB free in {folder}", "" if result == OK else "make room")
    yield from _store(loaded, path)
    proxies = {name: url for name, url in getproxies().items() if name in ("http", "https", "no")}
    yield Finding("proxy", OK, ", ".join(f"{name}: {_host(url)}" for name, url in proxies.items()) or "none is set")


def _store(loaded: Loaded, path: Path) -> Iterator[Finding]:
    if not path.exists():
        yield Finding("store", OK, f"{path} will be made at the first start")
        return
    database = Database(loaded.settings.main.store.url)
    try:
        database.migrate()
        with database.read() as tx:
            used = ledger.metered_calls(tx, month_of(datetime.now(UTC)))
    except StoreError as error:
        yield Finding("store", FAILED, str(error), "check the owner and rights of the file, and the room on the disk")
    else:
        limit = loaded.settings.main.dingtalk.monthly_calls
        yield Finding("store", OK, str(path))
        result = OK if used < 0.8 * limit else WARNING
        yield Finding("dingtalk quota", result, f"{used:,} of {limit:,} calls used this month")
    finally:
        database.close()


def _kingdee(loaded: Loaded, clock: Clock) -> Iterator[Finding]:
    section = loaded.settings.main.kingdee
    yield from _reach("kingdee", section.url, section.ca_file)
    client = KingdeeClient(section, clock)
    try:
        login = _tried("kingdee login", lambda: _login(client, section.auth))
        yield login
        yield _clock("kingdee clock", client.server_clock)
        if login.result != FAILED:
            source = KingdeeSource(client)
            for form in loaded.ruleset.forms:
                yield from _form(source, loaded, form)
    finally:
        client.close()


def _login(client: KingdeeClient, auth: str) -> str:
    client.log_in()
    return f"by {auth}"


def _form(source: KingdeeSource, loaded: Loaded, form: str) -> Iterator[Finding]:
    what = f"kingdee {form}"
    try:
        layout = probes.form_layout(source, loaded, form)
        unknown = [error.field for error in probes.unknown_fields(source, layout)]
        used = [key for key in unknown if probes.rules_using(loaded, form, key)]
        count = sum(len(page.rows) for page in source.some(layout))
    except EdgeError as error:
        yield Finding(what, FAILED, error.message, error.cure)
        return
    for key in used:
        rules = ", ".join(probes.rules_using(loaded, form, key))
        yield Finding(f"{what} {key}", FAILED, f"Kingdee has no such field; used by {rules}", "correct the rule")
    if count == 0:
        cure = "if there should be some: give the user view permission for the form and its organisations"
        yield Finding(what, WARNING, "no document is visible", cure)
    elif not used:
        yield Finding(what, OK, f"{len(layout.heads) + len(layout.entries)} fields can be read")


def _dingtalk(loaded: Loaded, clock: Clock) -> Iterator[Finding]:
    section = loaded.settings.main.dingtalk
    yield from _reach("dingtalk", section.api_url, None)
    if urlsplit(section.oapi_url).netloc != urlsplit(section.api_url).netloc:
        yield from _reach("dingtalk oapi", section.oapi_url, None)
    client = DingTalkClient(section, clock)
    try:
        token = _tried("dingtalk login", lambda: _token(client))
        yield token
        yield _clock("dingtalk clock", client.server_clock)
        if token.result == OK:
            yield _people(client, loaded)
    finally:
        client.close()


def _token(client: DingTalkClient) -> str:
    client.check_token()
    return "a token was given"


def _people(client: DingTalkClient, loaded: Loaded) -> Finding:
    try:
        invisible = [f"{userid} ({where})" for userid, where in probes.invisible_users(Contacts(client), loaded)]
    except EdgeError as error:
        return Finding("dingtalk contacts", FAILED, error.message, error.cure)
    if invisible:
        cure = "correct the userids, or put these people into the app's visible range in the developer console"
        return Finding("dingtalk people", FAILED, f"not visible to the app: {', '.join(invisible)}", cure)
    return Finding("dingtalk people", OK, f"all {len(probes.named_users(loaded))} named people are visible")


def _reach(name: str, url: str, ca_file: Path | None) -> Iterator[Finding]:
    """Name, TCP and TLS of one host."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError as error:
        yield Finding(f"{name} name", FAILED, f"{host}: {error}", "check the address, and this machine's DNS server")
        return
    yield Finding(f"{name} name", OK, f"{host} is {', '.join(sorted(addresses))}")
    if _by_proxy(parts.scheme, host):
        yield Finding(f"{name} connection", SKIPPED, "goes through the proxy")
        return
    yield _connect(name, host, port, parts.scheme == "https", ca_file)


def _connect(name: str, host: str, port: int, tls: bool, ca_file: Path | None) -> Finding:
    what = f"{name} connection"
    try:
        with socket.create_connection((host, port), CONNECT) as plain:
            if not tls:
                return Finding(what, OK, f"port {port}, without TLS")
            context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
            with context.wrap_socket(plain, server_hostname=host) as secured:
                return Finding(what, OK, f"port {port}, {secured.version()}")
    except ssl.SSLCertVerificationError as error:
        cure = "set kingdee.ca_file to the certificate of your own authority, or renew the server's certificate"
        return Finding(what, FAILED, f"the certificate is not trusted: {error.verify_message}", cure)
    except OSError as error:
        cure = f"open the firewall from this machine to {host}:{port}, and check that the server runs"
        return Finding(what, FAILED, f"{host}:{port}: {error}", cure)


def _by_proxy(scheme: str, host: str) -> bool:
    from urllib.request import proxy_bypass

    return scheme in getproxies() and not proxy_bypass(host)


def _clock(what: str, theirs: ServerClock) -> Finding:
    error = theirs.error()
    if error is None:
        return Finding(what, SKIPPED, "no answer to read the time from")
    detail = f"{theirs.offset():+.0f} s against this machine, give or take {max(error, 0.1):.1f} s"
    if abs(theirs.offset()) <= SKEW:
        return Finding(what, OK, detail)
    return Finding(what, WARNING, f"{detail}; signatures are corrected for it", "set both clocks by NTP")


def _tried(what: str, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding(what, OK, attempt())
    except EdgeError as error:
        return Finding(what, FAILED, error.message, error.cure)


def _host(url: str) -> str:
    return urlsplit(url).hostname or url
