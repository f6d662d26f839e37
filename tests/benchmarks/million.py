"""What a million known documents cost a poll: against a thousand, in time and in memory.

    python -m tests.benchmarks.million [--documents 1000000] [--against 1000] [--polls 60]

A poll is a look by dates and a look at the open documents; few documents are in their sight in either store. Each store
belongs to a process of its own, which says how much memory it took; the two are polled in turns. The look at all keys
is shown for information: it reads them all.
"""

from __future__ import annotations

import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from kdsync.services.watcher import Watcher
from kdsync.store import forms
from tests.benchmarks import canned, figures, measured
from tests.benchmarks.first_look import RULES

TIMES, MEGABYTES = 1.3, 120
CHUNK = 10_000
WARM_UP = 5


def main() -> int:
    """Measure and print."""
    options = _options()
    sizes = (options.documents, options.against)
    with ExitStack() as stack:
        large, small = (stack.enter_context(_store(known)) for known in sizes)
        polls = figures.alternating(options.polls, lambda: large("poll"), lambda: small("poll"))
        memory = [store("memory") for store in (large, small)]
        keys = [store("keys") for store in (large, small)]
        afterwards = [store("memory") for store in (large, small)]
    name = f"a poll at {sizes[0]:,}, times one at {sizes[1]:,}"
    return figures.report(
        [
            figures.Figure(name, figures.ratios(*polls), TIMES),
            *_both("a poll at {:,}", sizes, [figures.milliseconds(taken) for taken in polls], None, "ms"),
            *_both("most memory of polls at {:,}", sizes, [[most] for most in memory], MEGABYTES, "MB"),
            *_both("a look at all keys of {:,}", sizes, [[taken] for taken in keys], None, "s"),
            *_both("most memory of that at {:,}", sizes, [[most] for most in afterwards], None, "MB"),
        ]
    )


def _options() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--against", type=int, default=1_000)
    parser.add_argument("--polls", type=int, default=60)
    return parser.parse_args()


def _both(
    name: str, sizes: Sequence[int], samples: Sequence[Sequence[float]], limit: float | None, unit: str
) -> Iterator[figures.Figure]:
    for size, taken in zip(sizes, samples, strict=True):
        yield figures.Figure(name.format(size), taken, limit, unit)


@contextmanager
def _store(known: int) -> Iterator[Callable[[str], float]]:
    """A kdsync in another process that knows so many documents, to be told which job to do."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    company = canned.Company(known)
    with canned.served(company) as url, tempfile.TemporaryDirectory() as folder:
        filling = context.Process(target=_fill, args=(Path(folder), url, company))
        filling.start()
        filling.join()
        process = context.Process(target=_work, args=(theirs, Path(folder), url), daemon=True)
        process.start()
        theirs.close()

        def told(job: str) -> float:
            ours.send(job)
            return float(ours.recv())

        yield told
        ours.close()
        process.join()


def _fill(folder: Path, url: str, company: canned.Company) -> None:
    """Put all documents into the store, as a first look would have."""
    with measured.kdsync(folder, url, RULES) as wired:
        watch, _ = wired.watchers[canned.FORM]._prepared()
        rows = canned.rows(watch.layout.heads, company)
        place = {key: at for at, key in enumerate(watch.layout.heads)}
        number, status = place["FBillNo"], place[str(watch.facts.status)]
        for _ in range(0, company.documents, CHUNK):
            with wired.db.write() as tx:
                watch.snapshots.put(
                    tx,
                    [
                        (watch.form_id, str(row[0]), row[number], int(row[status] != "C"), 0, 1, watch.layout_id,
                         wired.seal.close(row))
                        for row in islice(rows, CHUNK)
                    ],
                )  # fmt: skip
        with wired.db.write() as tx:
            newest = "2026-11-20T09:12:44.72"
            forms.save(tx, watch.form_id, baselined_at="2026-11-22", newest=newest, layout_id=watch.layout_id)


def _work(pipe: Connection, folder: Path, url: str) -> None:
    """Do jobs until nobody asks any more."""
    with measured.kdsync(folder, url, RULES) as wired:
        watcher = wired.watchers[canned.FORM]
        for _ in range(WARM_UP):
            _poll(watcher)
        jobs: dict[str, Callable[[], float]] = {
            "poll": lambda: figures.seconds(lambda: _poll(watcher)),
            "keys": lambda: figures.seconds(lambda: _keys(watcher)),
            "memory": _most_memory,
        }
        while True:
            try:
                job = jobs[pipe.recv()]
            except EOFError:
                return
            pipe.send(job())


def _poll(watcher: Watcher) -> None:
    reports = watcher.tick(), watcher.sweep()
    for report in reports:
        if report is None or not report.documents or report.events:
            sys.exit(f"not an idle poll: {report} {watcher.condition.error}")


def _keys(watcher: Watcher) -> None:
    report = watcher.reconcile()
    if report is None or report.events:
        sys.exit(f"not an idle look at all keys: {report} {watcher.condition.error}")


def _most_memory() -> float:
    """The most resident memory that this process had, in MB."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main())
