"""The way to a host: proxy, name, TCP, TLS, HTTP. Each step has its time, so that a dead host takes seconds."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy

from kdsync.clock import Clock
from kdsync.doctor.finding import FAILED, OK, SKIPPED, WARNING, Finding, Walk, failed
from kdsync.doctor.service import Service
from kdsync.doctor.tls import certificate
from kdsync.errors import EdgeError
from kdsync.exchange import NETWORK, Adapter, ending

NAME_SECONDS, CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 4.0, 10.0
MOST_ADDRESSES = 4
TITLE = re.compile(r"<title[^>]*>([^<]{1,80})", re.IGNORECASE)
PROXIES = ("https_proxy", "http_proxy", "no_proxy")
PORTS = {"https": 443, "http": 80}
LOCAL = (".local", ".lan", ".internal", ".intranet", ".corp", ".home")

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Host:
    """One host that kdsync talks to. `explain` classifies what an exception of the network means there."""

    name: str
    url: str
    explain: Callable[[Exception], EdgeError]
    ca_file: Path | None = None
    firewall: str = ""  # what to ask for, where it is more than this host and port

    @cached_property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or PORTS.get(parts.scheme, 443)

    @cached_property
    def secure(self) -> bool:
        return urlsplit(self.url).scheme == "https"

    @cached_property
    def proxy(self) -> str:
        """The address of the proxy that a request goes through; "" where it goes straight."""
        return select_proxy(self.url, get_environ_proxies(self.url)) or ""

    @cached_property
    def bundle(self) -> str:
        """The certificates that a request trusts."""
        with requests.Session() as session:
            told: Any = session.merge_environment_settings(self.url, {}, None, None, None)["verify"]
        return str(self.ca_file or (told if isinstance(told, str) else DEFAULT_CA_BUNDLE_PATH))


@dataclass(frozen=True, slots=True)
class _Way:
    """What is to be connected to: the host, or the proxy before it."""

    what: str
    host: str
    port: int
    cure: str  # where nothing answers


def proxies(service: Service, ours: Mapping[str, str]) -> Iterator[Finding]:
    """The variables of this shell, and those of the service, which may differ."""
    mine, theirs = _proxies_of(ours), _proxies_of(service.environment)
    yield Finding("proxy", OK, _told(mine))
    if service.installed and mine != theirs:
        cure = "systemctl edit kdsync: [Service] Environment=HTTPS_PROXY=…; or run the doctor with the service's"
        yield Finding("proxy", WARNING, f"kdsync.service has another one than this shell: {_told(theirs)}", cure)


def walk(host: Host, clock: Clock) -> Walk:
    """All steps to one host; in the end whether something answers there."""
    return (yield from reach(host, clock)) and (yield from _http(host, clock))


def reach(host: Host, clock: Clock) -> Walk:
    """Name, TCP and TLS only."""
    way = _proxy_way(host) if host.proxy else _straight_way(host)
    addresses = yield from _name(way)
    if host.proxy:
        yield from _needless_proxy(host)
    if not addresses or not (yield from _connect(way, addresses)):
        return False
    return bool(host.proxy) or (yield from _encryption(host, addresses, clock))


def _encryption(host: Host, addresses: list[str], clock: Clock) -> Walk:
    what = f"{host.name} tls"
    if not host.secure:
        if not _is_private(host.address[0], addresses):
            cure = "use https: the login and every document can be read on the way"
            yield Finding(what, WARNING, "not encrypted, and not inside a private network", cure)
        return True
    found = certificate(what, host.address, addresses[0], host.bundle, clock)
    yield found
    return found.result != FAILED


def _straight_way(host: Host) -> _Way:
    name, port = host.address
    cure = host.firewall or f"open the firewall from this machine to {name}:{port}, and check that the server runs"
    return _Way(host.name, name, port, cure)


def _proxy_way(host: Host) -> _Way:
    """The host's own name is the proxy's business."""
    parts = urlsplit(host.proxy if "://" in host.proxy else f"http://{host.proxy}")
    cure = f"correct HTTPS_PROXY, or add {host.address[0]} to NO_PROXY if it can be reached without"
    return _Way(f"{host.name} proxy", parts.hostname or "", parts.port or PORTS.get(parts.scheme, 80), cure)


def _name(way: _Way) -> Generator[Finding, None, list[str]]:
    """Resolve it; the addresses are what the iteration returns."""
    what = f"{way.what} name"
    try:
        found = within(NAME_SECONDS, lambda: socket.getaddrinfo(way.host, way.port, type=socket.SOCK_STREAM))
    except TimeoutError:
        detail = f"no DNS server tells within {NAME_SECONDS:.0f} s what {way.host} is"
        yield Finding(what, FAILED, detail, "check the DNS servers of this machine: resolvectl status")
        return []
    except (OSError, UnicodeError) as error:
        detail = f"{way.host} cannot be resolved: {getattr(error, 'strerror', None) or error}"
        yield Finding(what, FAILED, detail, f"check the spelling, and the DNS servers: getent hosts {way.host}")
        return []
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))[:MOST_ADDRESSES]
    yield Finding(what, OK, f"{way.host} is {', '.join(addresses)}")
    return addresses


def _connect(way: _Way, addresses: list[str]) -> Walk:
    """Try every address: requests would wait for a dead one each time."""
    what = f"{way.what} connection"
    refused = {address: error for address in addresses if (error := _refusal(address, way.port))}
    if not refused:
        yield Finding(what, OK, f"port {way.port} answers")
        return True
    detail = "; ".join(f"{address}:{way.port} {_reason(error)}" for address, error in refused.items())
    if len(refused) < len(addresses):
        cure = "connections are slow or fail now and then: have the dead address repaired or removed from DNS"
        yield Finding(what, WARNING, detail, cure)
        addresses[:] = [address for address in addresses if address not in refused]
        return True
    yield Finding(what, FAILED, detail, _connect_cure(way, next(iter(refused.values()))))
    return False


def _refusal(address: str, port: int) -> OSError | None:
    try:
        socket.create_connection((address, port), CONNECT_SECONDS).close()
    except OSError as error:
        return error
    return None


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"does not answer within {CONNECT_SECONDS:.0f} s"
    if isinstance(error, ConnectionRefusedError):
        return "refuses: nothing listens there"
    return error.strerror or str(error)


def _connect_cure(way: _Way, error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return f"check the port {way.port}, and that the server is started; else {way.cure}"
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return f"check this machine's network, gateway and VPN; else {way.cure}"
    return way.cure


def _needless_proxy(host: Host) -> Iterator[Finding]:
    """A server inside the company is seldom meant to be reached through the proxy."""
    name = host.address[0]
    yield Finding(f"{host.name} proxy", OK, f"{name} is asked through {urlsplit(host.proxy).hostname or 'a proxy'}")
    if _is_private(name, []):
        cure = f"add {name} to NO_PROXY, here and in kdsync.service"
        yield Finding(f"{host.name} proxy", WARNING, f"{name} is inside the network, yet goes through the proxy", cure)


def _is_private(name: str, addresses: list[str]) -> bool:
    literal = [name] if re.fullmatch(r"[0-9.]+|.*:.*", name) else addresses
    try:
        inside = [ipaddress.ip_address(address.partition("%")[0]).is_private for address in literal]
    except ValueError:
        return False
    return any(inside) or "." not in name.strip(".") or name.endswith(LOCAL)


def _http(host: Host, clock: Clock) -> Walk:
    what = f"{host.name} http"
    try:
        with requests.Session() as session:
            session.trust_env = False
            for scheme in PORTS:
                session.mount(f"{scheme}://", Adapter(ending(clock, ANSWER_SECONDS)))
            response = _get(session, host)
            with response:
                page = response.raw.read(4096, decode_content=True).decode(errors="replace")
    except NETWORK as error:
        yield failed(what, host.explain(error))
        return False
    yield _answer(what, host, response, page)
    return response.status_code != 407  # noqa: PLR2004  # the proxy's own no


def _get(session: requests.Session, host: Host) -> requests.Response:
    request = session.prepare_request(requests.Request("GET", host.url, headers={"Cache-Control": "no-cache"}))
    adapter = session.get_adapter(host.url)
    way = {urlsplit(host.url).scheme: host.proxy} if host.proxy else {}
    return adapter.send(request, True, (CONNECT_SECONDS, ANSWER_SECONDS), host.bundle, None, way)


def _answer(what: str, host: Host, response: requests.Response, page: str) -> Finding:
    status, server = response.status_code, response.headers.get("Server", "").strip()
    title = TITLE.search(page)
    named = f", page “{' '.join(title[1].split())}”" if title else ""
    detail = f"HTTP {status}{f' from {server}' if server else ''}{named}"
    if status == 407:  # noqa: PLR2004  # names below
        return Finding(
            what, FAILED, f"{detail}: the proxy wants a login", "HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT"
        )
    if status == 511 or _leads_away(host, response):  # noqa: PLR2004
        cure = "a proxy's or a network's login page answers: have this machine let through without"
        return Finding(what, WARNING, f"{detail}, leads to {_target(response) or 'a login'}", cure)
    if status >= 500:  # noqa: PLR2004
        cure = "a proxy or web server answers, what stands behind it does not: have it started, or wait for its upkeep"
        return Finding(what, FAILED, f"{detail}: what should answer is down", cure)
    if status in (401, 403):
        cure = "a firewall or a request filter before the server: ask who runs it to admit this machine"
        return Finding(what, WARNING, f"{detail}: turned away", cure)
    return Finding(what, OK, detail)


def _target(response: requests.Response) -> str:
    return urlsplit(response.headers.get("Location", "")).hostname or ""


def _leads_away(host: Host, response: requests.Response) -> bool:
    target, name = _target(response), host.address[0]
    family = ".".join(name.split(".")[-2:])
    return bool(target) and target != name and not target.endswith(f".{family}") and target != family


def skipped(*steps: str, because: str) -> Iterator[Finding]:
    """Steps that cannot be tried."""
    yield from (Finding(step, SKIPPED, because) for step in steps)


def within(seconds: float, ask: Callable[[], Answer]) -> Answer:
    """What `ask` returns or raises; TimeoutError where that takes longer, as only the system's resolver does."""
    done: list[Answer] = []
    wrong: list[Exception] = []

    def run() -> None:
        try:
            done.append(ask())
        except Exception as error:  # noqa: BLE001  # it is raised again below
            wrong.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if wrong:
        raise wrong[0]
    if not done:
        raise TimeoutError
    return done[0]


def _proxies_of(environment: Mapping[str, str]) -> dict[str, str]:
    lower = {name.lower(): value for name, value in environment.items()}
    return {name: lower[name] for name in PROXIES if lower.get(name)}


def _told(found: Mapping[str, str]) -> str:
    """Without the proxy's user and password."""
    hidden = {name: re.sub(r"//[^/@]*@", "//***@", value) for name, value in found.items()}
    return ", ".join(f"{name.upper()}={value}" for name, value in hidden.items()) or "none is set"
