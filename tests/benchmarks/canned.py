"""A Kingdee that only hands out pages of one form, in a process of its own: fast, so that what is measured is kdsync.

It knows one form, sorted by primary key, and of a filter only what kdsync's looks use: behind a key, a list of keys,
by dates, and open documents.
"""

from __future__ import annotations

import json
import re
import socketserver
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import orjson

FORM = "AP_PAYBILL"
FIRST = 1_000_001  # the smallest key; all have as many digits, so that keys sort as text as well
LOGIN = {"LoginResultType": 1, "KDSVCSessionId": "s1", "IsSuccessByAPI": True, "Context": {"UserId": 1}}
TOO_OLD = "response_error:未将对象引用设置到对象的实例。".encode()


@dataclass(frozen=True, slots=True)
class Company:
    """What the server holds. `recent` documents match a look by dates, `open` ones are open; `delay` in seconds."""

    documents: int
    recent: int = 3
    open: int = 50
    delay: float = 0.0


def document(place: int, company: Company) -> dict[str, Any]:
    """The values of one document by key."""
    is_open = place < company.open
    return {
        "FID": FIRST + place,
        "FBillNo": f"FKD{place:08}",
        "FDOCUMENTSTATUS": "B" if is_open else "C",
        "FCancelStatus": "A",
        "FModifyDate": f"2026-11-{1 + place * 20 // company.documents:02}T09:12:44.72",
        "FCreateDate": "2026-10-31T17:30:12.007",
        "FApproveDate": None if is_open else "2026-11-22T10:00:00",
        "FCreatorId": 100_021,
        "FPAYORGID.FNumber": "100",
        "FCONTACTUNIT.FName": "深圳市前海供应链管理有限公司",
        "FREALPAYAMOUNTFOR": 1280.5 + place,
        "FREMARK": "按合同支付第二期货款",
    }


def chosen(where: str, limit: int, company: Company) -> Sequence[int]:
    """The places of the documents on the page that a filter asks for."""
    listed = re.search(r"FID in \(([\d,]+)\)", where)
    behind = re.search(r"FID > (\d+)", where)
    first = int(behind[1]) - FIRST + 1 if behind else 0
    if listed:
        return [place for item in listed[1].split(",") if (place := int(item) - FIRST) >= first]
    last = company.documents
    if "FModifyDate>=" in where:
        first = max(first, last - company.recent)
    elif "FDOCUMENTSTATUS in" in where:
        last = company.open
    return range(first, min(first + limit, last))


def page(keys: str, where: str, start: int, limit: int, company: Company) -> bytes:
    """The answer to a query."""
    wanted = keys.split(",")
    places = chosen(where, start + limit, company)[start:]
    documents = (document(place, company) for place in places)
    return orjson.dumps([[values[key] for key in wanted] for values in documents])


class Server(socketserver.ThreadingTCPServer):
    """Listens on a free port."""

    daemon_threads = True

    def __init__(self, company: Company) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.company = company


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def do_GET(self) -> None:
        """The page that shows the server's clock."""
        self._send(b"<html></html>")

    def do_POST(self) -> None:
        """A login, a query, or a service that this server is too old for."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(self.server.company.delay)
        if "ExecuteBillQuery" in self.path:
            asked = body["data"]
            window = int(asked.get("StartRow") or 0), int(asked["Limit"])
            self._send(page(asked["FieldKeys"], asked["FilterString"], *window, self.server.company))
        else:
            self._send(orjson.dumps(LOGIN) if "Login" in self.path else TOO_OLD)

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's signature
        """Nobody reads it."""


@contextmanager
def served(company: Company) -> Iterator[str]:
    """The address of such a server in another process."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, company), daemon=True)
    process.start()
    theirs.close()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/K3Cloud/"
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, company: Company) -> None:
    with Server(company) as server:
        pipe.send(server.server_address[1])
        server.serve_forever()


def rows(heads: Iterable[str], company: Company) -> Iterator[list[Any]]:
    """All documents as a query without a filter gives them."""
    wanted = list(heads)
    for place in range(company.documents):
        values = document(place, company)
        yield [values[key] for key in wanted]
