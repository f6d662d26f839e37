"""What an idle form costs: requests in an interval, and processor time of a cycle over many forms.

    python -m tests.benchmarks.idle [--forms 20] [--cycles 200] [--profile]

The simulated Kingdee runs in a process of its own; the processor time is that of kdsync alone.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from time import process_time

from kdsync.clock import SystemClock
from kdsync.services.watcher import Watcher
from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.simulator.kingdee_forms import Form
from tests.benchmarks import figures, measured

WORDS = (
    "FBillNo FDocumentStatus FCancelStatus FCreatorId>SEC_User FCreateDate:datetime FModifierId>SEC_User "
    "FModifyDate:datetime FApproverId>SEC_User FApproveDate:datetime FSum:amount"
)
RULE = """
- {{id: approved{number}, form: {form}, on: approved, when: doc.FSum > 10000, to: [creator],
    message: {{title: "{{{{ doc.FBillNo }}}}"}}}}
- {{id: moved{number}, form: {form}, on: {{changed: [FSum]}}, to: [creator], message: {{title: "{{{{ doc.FSum }}}}"}}}}
"""
DOCUMENTS = 20  # of each form, one a day: the newest stays in sight
DATE = "2026-01-{:02} 09:00:00"
WARM_UP = 10


def main() -> int:
    """Measure and print."""
    options = _options()
    forms = [f"X_Bill{number:02}" for number in range(options.forms)]
    rules = "rules:" + "".join(RULE.format(form=form, number=number) for number, form in enumerate(forms))
    with (
        _served(forms) as (url, requests),
        tempfile.TemporaryDirectory() as folder,
        measured.kdsync(Path(folder), url, rules) as wired,
    ):
        watchers = list(wired.watchers.values())
        for _ in range(WARM_UP):
            _cycle(watchers)
        before = requests()
        spent, machine = zip(*((_cycle(watchers), _additions()) for _ in range(options.cycles)), strict=True)
        each = (requests() - before) / options.cycles / len(watchers)
        if options.profile:
            _profile(watchers)
    cycles = figures.milliseconds(spent)
    return figures.report(
        [
            figures.Figure("requests of one idle form in an interval", [each], 1),
            figures.Figure(f"processor time of a cycle over {len(watchers)} idle forms", cycles, 20, "ms"),
            figures.Figure("of one form in it", [cycle / len(watchers) for cycle in cycles], None, "ms"),
            figures.Figure("how fast the machine is: a million additions", figures.milliseconds(machine), None, "ms"),
        ]
    )


def _options() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--forms", type=int, default=20)
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--profile", action="store_true", help="also print where the time goes")
    return parser.parse_args()


def _cycle(watchers: list[Watcher]) -> float:
    """Processor seconds of one look at each form."""
    started = process_time()
    for watcher in watchers:
        watcher.tick()
        if watcher.condition.error:
            sys.exit(f"{watcher.form}: {watcher.condition.error}")
    return process_time() - started


def _additions() -> float:
    """Processor seconds of a million additions: twice as long one minute as the next where others use the machine."""
    started, total = process_time(), 0
    for number in range(100_000):
        total += number
    return 10 * (process_time() - started)


def _profile(watchers: list[Watcher]) -> None:
    profile = cProfile.Profile(process_time)
    with profile:
        for _ in range(20):
            _cycle(watchers)
    pstats.Stats(profile).sort_stats("cumulative").print_stats(70)


class _Requests:
    """Asks the other process how many queries it has answered."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def __call__(self) -> int:
        self._pipe.send("count")
        return int(self._pipe.recv())


@contextmanager
def _served(forms: list[str]) -> Iterator[tuple[str, _Requests]]:
    """A simulated Kingdee in another process: its address, and how many queries it has answered."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, forms), daemon=True)
    process.start()
    theirs.close()
    try:
        yield str(ours.recv()), _Requests(ours)
    finally:
        ours.send("stop")
        process.join()


def _serve(pipe: Connection, forms: list[str]) -> None:
    with SimulatedKingdee(SystemClock(), random=Random(1)) as erp:
        for form in forms:
            erp.define_form(Form.parse(form, WORDS))
            rows = (
                {"FDocumentStatus": "C", "FSum": day, **dict.fromkeys(("FCreateDate", "FModifyDate"), DATE.format(day))}
                for day in range(1, DOCUMENTS + 1)
            )
            erp.load(form, rows)
        pipe.send(erp.url)
        while pipe.recv() == "count":
            pipe.send(sum(request.op == "ExecuteBillQuery" for request in erp.requests))


if __name__ == "__main__":
    sys.exit(main())
