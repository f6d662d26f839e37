"""A full first look, committed and with its progress, against the official SDK merely fetching the same rows.

    python -m tests.benchmarks.first_look [--documents 100000] [--rounds 5] [--delay 0.02]

The simulated Kingdee is in a process of its own; both ask it for the same keys in pages of the same size, in turns.
The SDK's answer is text; it is parsed, because only so the next page can be asked for. Without --delay both networks
are measured: loopback as it is, and 20 ms more on the way of each request.
"""

from __future__ import annotations

import json
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

from k3cloud_webapi_sdk.main import K3CloudApiSdk

from kdsync.clock import SystemClock
from kdsync.simulator.kingdee import SimulatedKingdee
from tests.benchmarks import canned, figures, measured

PAGE = 2000
LIMITS = {0.0: 1.5, 0.02: 1.0}
RULES = """
rules:
- {id: approved, form: AP_PAYBILL, on: approved, when: doc.FREALPAYAMOUNTFOR > 1000000, to: [creator],
   message: {title: "{{ doc.FBillNo }} {{ doc.FCONTACTUNIT.FName }}"}}
- {id: moved, form: AP_PAYBILL, on: {changed: [FREMARK]}, when: doc.FPAYORGID.FNumber == '999', to: [user:ops1],
   message: {title: "{{ doc.FREALPAYAMOUNTFOR }}"}}
"""


def main() -> int:
    """Measure and print."""
    options = _options()
    delays = [options.delay] if options.delay is not None else list(LIMITS)
    return figures.report([figure for delay in delays for figure in _measured(options, delay)])


def _options() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--delay", type=float, help="seconds that each request takes longer")
    return parser.parse_args()


def _measured(options: Namespace, delay: float) -> list[figures.Figure]:
    with _served(options.documents, delay) as url, tempfile.TemporaryDirectory() as name:
        folders = (Path(name) / str(number) for number in count())
        keys: list[str] = []

        def ours() -> float:
            return _first_look(next(folders), url, options.documents, keys)

        took, fetched = figures.alternating(options.rounds, ours, lambda: _fetched(url, options.documents, keys))
    network = f"{1000 * delay:.0f} ms more a request" if delay else "loopback"
    return [
        figures.Figure(
            f"first look at {options.documents}, times the SDK's fetch, {network}",
            figures.ratios(took, fetched),
            LIMITS.get(delay),
        ),
        figures.Figure("kdsync: fetched, compared, committed", took, None, "s"),
        figures.Figure("SDK: fetched and parsed", fetched, None, "s"),
    ]


def _first_look(folder: Path, url: str, documents: int, keys: list[str]) -> float:
    """Seconds of one first look into an empty store."""
    with measured.kdsync(folder, url, RULES) as wired:
        wired.kingdee.log_in()
        watcher = wired.watchers[canned.FORM]
        watch, cursor = watcher._prepared()
        keys[:] = watch.layout.heads
        took = figures.seconds(lambda: wired.looks.first(watch, cursor))
        if watcher.condition.progress != documents:
            sys.exit(f"only {watcher.condition.progress} of {documents} documents came: {watcher.condition.error}")
    return took


def _fetched(url: str, documents: int, keys: list[str]) -> float:
    """Seconds that the SDK takes for the same rows."""
    sdk = K3CloudApiSdk(url)
    sdk.InitConfig(measured.ACCT_ID, measured.USERNAME, measured.APP_ID, measured.APP_SECRET, url)
    asked = {"FormId": canned.FORM, "FieldKeys": ",".join(keys), "OrderString": "FID ASC", "Limit": PAGE}

    def fetch() -> None:
        fetched, where = 0, ""
        while rows := json.loads(sdk.ExecuteBillQuery({**asked, "FilterString": where, "StartRow": 0})):
            fetched += len(rows)
            where = f"FID > {rows[-1][0]}"
        if fetched != documents:
            sys.exit(f"the SDK fetched {fetched} rows")

    return figures.seconds(fetch)


@contextmanager
def _served(documents: int, delay: float) -> Iterator[str]:
    """The address of a simulated Kingdee with so many payments, in another process."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, documents, delay), daemon=True)
    process.start()
    theirs.close()
    try:
        yield str(ours.recv())
    finally:
        ours.close()
        process.join()


def _serve(pipe: Connection, documents: int, delay: float) -> None:
    with SimulatedKingdee(SystemClock(), random=Random(1)) as erp:
        erp.load(canned.FORM, (_payment(place) for place in range(documents)))
        if delay:
            erp.fault("slow", times=1_000_000, op="ExecuteBillQuery", seconds=delay)
        pipe.send(erp.url)
        with suppress(EOFError):
            pipe.recv()


def _payment(place: int) -> dict[str, Any]:
    unit = {"id": 100_310 + place % 50, "FNumber": f"VEN{place % 50:05}", "FName": "深圳市前海供应链管理有限公司"}
    return {
        "FID": canned.FIRST + place,
        "FDocumentStatus": "C" if place > 50 else "B",  # a few are under way
        "FCancelStatus": "A",
        "FCreateDate": "2026-10-31 17:30:12",
        "FModifyDate": f"2026-11-{1 + place % 20:02} 09:12:44",
        "FApproveDate": "2026-11-22 10:00:00",
        "FCreatorId": {"id": 100_021, "FName": "李会计"},
        "FPAYORGID": {"id": 100, "FNumber": "100", "FName": "总公司"},
        "FCONTACTUNIT": unit,
        "FREALPAYAMOUNTFOR": f"{1280 + place}.50",
        "FREMARK": "按合同支付第二期货款",
    }


if __name__ == "__main__":
    sys.exit(main())
