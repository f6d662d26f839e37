"""A Kingdee, a DingTalk, and a daemon in a process of its own that is started again whenever it was killed."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from math import inf
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import yaml

from kdsync.delivery.limits import SHANGHAI
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.dingtalk_pushes import Push
from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.simulator.kingdee_attachments import UPLOADS
from kdsync.simulator.kingdee_requests import Request
from kdsync.simulator.kingdee_services import WRITES
from tests.crash.fast_clock import FastClock
from tests.crash.hasty_daemon import Job, run
from tests.crash.points import Blow, Stroke, When, die, remaining
from tests.new_store import migrated

BILL, ORDER, EXPENSE = "AP_PAYBILL", "PUR_PurchaseOrder", "ER_ExpReimbursement"
LOOKBACK = 2.0  # seconds of the fast clock
A_ROUND = 6  # queries, in which each kind of look has come round
LONGEST = 40.0  # seconds of real time; what is waited for takes a tenth of one, on a machine with nothing else to do
SECRETS = {
    "KD_PASSWORD": "kdsync-demo",
    "KD_SECRET": "0123456789abcdef0123456789abcdef",
    "DT_SECRET": "the-secret-of-the-app",
    "ROBOT": "the-token-of-the-robot",
}
DATE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+")
WHOLE = {  # queries, and what they find in a store in which nothing was torn and nothing missed
    "PRAGMA integrity_check": [("ok",)],
    "SELECT id FROM notifications n WHERE state = 'addressed'"
    " AND NOT EXISTS (SELECT 1 FROM outbox WHERE notification_id = n.id)": [],
    "SELECT o.id FROM outbox o JOIN notifications n ON n.id = o.notification_id WHERE n.state = 'matched'": [],
    "SELECT doc_id FROM events WHERE found_by = 'keys' AND kinds <> 'deleted'": [],
    "SELECT id FROM outbox WHERE (state = 'accepted') <> (accepted_at IS NOT NULL)": [],
    "SELECT 'replies' WHERE (SELECT count(*) FROM notifications WHERE rule = 'answer' AND kind <> 'waiting')"
    " <> (SELECT count(*) FROM inbox WHERE state NOT IN ('waiting', 'ignored', 'undone') AND source <> 'approval')": [],
    "SELECT id FROM writes WHERE inbox_id NOT IN (SELECT id FROM inbox)": [],
    "SELECT w.id FROM writes w JOIN inbox i ON i.id = w.inbox_id WHERE i.state = 'done'"
    " AND w.operation NOT IN ('Cancel', 'push') AND w.outcome IN ('intended', 'accepted', 'unknown')": [],
}
ON_ITS_WAY = (
    "SELECT id FROM notifications WHERE state IN ('gathered', 'matched')"
    " UNION ALL SELECT id FROM outbox WHERE state IN ('waiting', 'leased')"
    " UNION ALL SELECT id FROM inbox WHERE state IN ('waiting', 'intake')"
)
CARRIED_OUT = ("", "slow", "lost_reply")  # faults with which Kingdee does what it is asked to do
OK = 200
WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(["tests.crash.warm"])


class House:
    """`blows` strike the daemon: those of the first item, whichever comes first, and then those of the next."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "kdsync.db"
        self.blows: list[tuple[Blow, ...]] = []
        self.stroke: Stroke = die
        self.lives: list[float] = []  # seconds after which the processes are killed, wherever they are
        self.a_minute = 5000
        self.ahead = 0.0  # seconds that the clock of the daemon's machine is wrong by
        self.has_store = True  # an empty one, of today's shape: making it takes as long as a whole chapter
        self.deaths = 0
        self.expected: list[tuple[str, str]] = []
        self.possible: set[str] = set()  # needles of messages that may come or not
        self.writes: set[tuple[str, str]] = set()  # service and document: what Kingdee is to be asked for, once
        self.perhaps: set[tuple[str, str]] = set()  # the same, where a crash may leave it undone, but never done twice
        self.said: list[Push] = []
        self._lines: set[str] = set()  # of Stream, over which all that was said was pushed again
        self.clock = FastClock(time.monotonic())
        self.kingdee = SimulatedKingdee(self.clock, password=SECRETS["KD_PASSWORD"]).start()
        self.dingtalk = SimulatedDingTalk(
            self.clock, client_id="ding", client_secret=SECRETS["DT_SECRET"], agent_id=77, qps=1000
        ).start()
        self.dingtalk.add_group_robot("finance", SECRETS["ROBOT"])
        self.users = {}
        for n in range(1, 6):
            self.users[n] = self.kingdee.add_user(f"kd{n}", f"Person {n}", f"1380000000{n}")
            self.dingtalk.add_user(f"user{n}", f"Person {n}", f"1380000000{n}")
        self._process: ForkServerProcess | None = None
        self._launches = 0
        self._said_before = 0  # characters of the log that earlier processes wrote
        self._ends = inf

    # --- the daemon

    def configure(self, *rules: dict[str, Any], **sections: Any) -> None:
        """Write the files of the operator."""
        credentials = self.kingdee.credentials
        kingdee = {
            "url": self.kingdee.url,
            "acct_id": credentials.acct_id,
            "username": credentials.username,
            "app_id": credentials.app_id,
            "app_secret": {"env": "KD_SECRET"},
            "timeout": "5s",
        }
        dingtalk = {
            "api_url": self.dingtalk.url,
            "oapi_url": self.dingtalk.url,
            "client_id": "ding",
            "client_secret": {"env": "DT_SECRET"},
            "agent_id": 77,
            "groups": {"finance": {"token": {"env": "ROBOT"}}},
        }
        main = {
            "kingdee": {**kingdee, **sections.pop("kingdee", {})},
            "dingtalk": {**dingtalk, **sections.pop("dingtalk", {})},
            "store": {"url": f"sqlite:///{self.folder}/kdsync.db"},
            "poll": {"interval": "2s", "sweep": "3s", "lookback": f"{LOOKBACK:.0f}s", "reconcile": "10s"},
            "listen": "",
            "rules": ["rules.yaml"],
            "directory": "directory.yaml",
            "fallback": ["user:user5"],
        }
        more: dict[str, Any] = {key: sections.pop(key) for key in ("actions", "intake") if key in sections}
        self._write("rules.yaml", {"rules": list(rules), **more})
        self._write("kdsync.yaml", {**main, **sections})
        self._write("directory.yaml", {"roles": {"cashier": ["user:user1", "user:user2"]}})

    def start(self) -> None:
        """Run the daemon until its first looks are over."""
        self.launch()
        self.wait_for_first_looks()

    def wait_for_first_looks(self) -> None:
        """Wait until every form is watched."""
        self.until(lambda: self.store("SELECT min(baselined_at IS NOT NULL) AS n FROM forms HAVING n = 1"))

    def launch(self) -> None:
        """Run the daemon."""
        if self.has_store and not self.file.exists():
            self.file.write_bytes(migrated().read_bytes())
        blows = self.blows[0] if self.blows else ()
        job = Job(self.folder, self.clock.zero, SECRETS, blows, self.stroke, self.a_minute, self.ahead)
        self._process = WARM.Process(target=run, args=(job,), daemon=True)
        self._launches, self._said_before = self._launches + 1, len(self.log())
        self._process.start()
        self._ends = time.monotonic() + self.lives.pop(0) if self.lives else inf

    def ends(self) -> int:
        """The exit code of a daemon that ends by itself; what follows is another one."""
        assert self._process is not None
        self._process.join(LONGEST)
        code = self._process.exitcode
        self.close_daemon()
        assert code is not None, self.last_words()
        return code

    def until(self, condition: Callable[[], Any], seconds: float = LONGEST) -> Any:
        """Wait for something that the daemon does, however often it has to be started anew; returns it."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, f"it did not happen in time\n{self.last_words()}"
            self._mind()
            time.sleep(0.005)
        return found

    def _mind(self) -> None:
        self._push_again()
        if self._process is not None and time.monotonic() > self._ends:
            self._process.kill()
            self._process.join()
        if self._process is None or self._process.exitcode is None:
            return
        assert self._process.exitcode == -signal.SIGKILL, f"exit {self._process.exitcode}\n{self.last_words()}"
        self.deaths += 1
        self.blows = self._left()
        self.check_what_is_left()
        self.launch()

    def _left(self) -> list[tuple[Blow, ...]]:
        """The blows without the one that the last process died of."""
        pid = self._process.pid if self._process else None
        reached = [line.partition(" ")[2] for line in self.points() if line.startswith(f"{pid} ")]
        first, later = self.blows[:1], self.blows[1:]
        return [left for one in first if (left := remaining(one, reached))] + later

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """No blow strikes a daemon that is started inside."""
        blows, self.blows = self.blows, []
        yield
        self.blows = blows

    def say(self, userid: str, text: str) -> None:
        """Somebody writes to the robot while the daemon listens."""
        self.until(lambda: self.dingtalk.connections)
        self._push_again()
        self.said.append(self.dingtalk.say(userid, text))

    def agree(self, process: str, userid: str, values: dict[str, Any]) -> str:
        """Somebody's approval is agreed to; returns its business id. It is told of, if the daemon listens."""
        approvals = self.dingtalk.approvals
        ident = approvals.start(process, userid, values)
        self._push_again()
        self.said.append(approvals.finish(ident))
        return approvals.instance(ident).business_id

    def click(self, userid: str, title: str, button: str) -> str:
        """Somebody presses a button of the card with that title while the daemon listens; returns the card's id."""
        track = self.card(userid, title)
        self.until(lambda: self.dingtalk.connections)
        self._push_again()
        self.said.append(self.dingtalk.click(userid, track, button))
        return track

    def card(self, userid: str, title: str) -> str:
        """The id of the card with that title, once somebody has it."""
        return str(
            self.until(lambda: [one.out_track_id for one in self.dingtalk.seen(userid) if title in one.title])[0]
        )

    def _push_again(self) -> None:
        """As the platform does: over a new connection all that was said, answered or not, and what was not kept."""
        lines = set(self.dingtalk.connections)
        is_new = lines and not lines <= self._lines
        self._lines |= lines
        for push in self.said:
            refused = lines and not _is_kept(push) and (len(push.acks) == len(push.attempts) or self._is_late(push))
            if is_new or refused:
                self.dingtalk.redeliver(push)

    def _is_late(self, push: Push) -> bool:
        """Whether it was not kept and therefore not answered: who clicked is shown an error, and clicks again."""
        return bool(push.attempts) and self.clock.now() - push.attempts[-1] > push.schedule.deadline

    def reload(self) -> None:
        """Have the daemon read its files anew; one that is killed meanwhile reads them when it starts."""
        launches, before = self._launches, self.log().count("reload.finished")
        self.until(lambda: self._launches > launches or '"event": "started"' in self.log()[self._said_before :])
        if self._launches == launches and self._process:
            os.kill(self._process.pid or 0, signal.SIGHUP)
        self.until(lambda: self._launches > launches or self.log().count("reload.finished") > before)

    # --- what happened

    def expect(self, needle: str, *people: str) -> None:
        """A message with `needle` in its title is to be seen once by each of these people and groups."""
        self.expected += [(who, needle) for who in people]

    def expect_write(self, service: str, document: Any) -> None:
        """Kingdee is to be asked once for this; `document` is the id, or the number, by which the service goes."""
        self.writes.add((service, str(document)))

    def written(self) -> Counter[tuple[str, str]]:
        """What Kingdee was asked to change and took up, in its own record; what it refuses by itself counts too."""
        requests = [one for one in self.kingdee.requests if one.op in WRITES and one.fault in CARRIED_OUT]
        return Counter((one.op, _document(one)) for one in requests)

    def reached(self, point: str, when: When = "after") -> bool:
        """Whether a daemon came to a point."""
        return any(line.endswith(f" {when} {point}") for line in self.points())

    def points(self) -> list[str]:
        """Every point that was come to: process, when, name."""
        file = self.folder / "points"
        return file.read_text().splitlines() if file.exists() else []

    def finish(self) -> None:
        """Wait until everything that is expected was seen and nothing is on its way, and check the promises."""
        self.until(lambda: not Counter(self.expected) - self.shown())
        for push in list(self.said):
            self._repeat(push)
        self.until(lambda: not self.store(ON_ITS_WAY) and self._came_round())
        self.close_daemon()
        self.check_what_is_left()
        assert self.shown() == Counter(self.expected), self.last_words()
        written = self.written()
        assert self.writes <= set(written) <= self.writes | self.perhaps, f"{written}\n{self.last_words()}"
        assert max(written.values(), default=1) == 1, f"{written}\n{self.last_words()}"

    def _repeat(self, push: Push) -> None:
        """What was answered already is pushed once more, and answered again."""
        self.until(lambda: _is_kept(push) and self.dingtalk.connections)
        before = len(push.acks)
        self.dingtalk.redeliver(push)
        self.until(lambda: len(push.acks) > before)

    def _came_round(self) -> bool:
        """Whether the process that runs now has looked at everything, and kept house."""
        pid = self._process.pid if self._process else None
        reached = Counter(line.partition(" ")[2] for line in self.points() if line.startswith(f"{pid} "))
        return reached["after kingdee ExecuteBillQuery"] >= A_ROUND and reached["after upkeep.Upkeep._heartbeat"] > 0

    def shown(self) -> Counter[tuple[str, str]]:
        """Who saw what, by the needles that were expected, or by the whole title."""
        needles = sorted({needle for _, needle in self.expected})
        return Counter(
            (seen.who, next((needle for needle in needles if needle in seen.title), seen.title))
            for seen in self.dingtalk.seen()
            if not any(needle in seen.title for needle in self.possible)
        )

    def store(self, query: str) -> list[Any]:
        """What a query finds in the store, which is left as it is; [] while there are no tables."""
        if not self.file.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=5.0)) as store:
            try:
                return store.execute(query).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" not in str(error):
                    raise
                return []

    def check_what_is_left(self) -> None:
        """What a daemon has left behind is whole."""
        for query, found in WHOLE.items():
            assert self.store(query) in (found, []), query
        dates = [date for (row,) in self.store("SELECT row FROM documents") for date in DATE.findall(row.decode())]
        # Nothing stored: it stands where Kingdee's clock was taken to be, which kdsync's own clock does not bound.
        present = "" if dates else _local(self.clock.now().isoformat())
        for newest, first, last in self.store("SELECT newest, first_look_from, baselined_at FROM forms"):
            assert newest <= max([*dates, first or "", _local(last), present]), "the cursor is ahead of what was stored"

    def log(self) -> str:
        file = self.folder / "kdsync.log"
        return file.read_text() if file.exists() else ""

    def last_words(self) -> str:
        """What helps to find out why a test failed."""
        told = "\n".join(self.log().splitlines()[-25:])
        return f"{told}\n{self.points()[-12:]}\nshown {self.shown()}\nexpected {Counter(self.expected)}"

    def close_daemon(self) -> None:
        """Kill what runs."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._process = None

    def close(self) -> None:
        self.close_daemon()
        self.kingdee.stop()
        self.dingtalk.stop()

    def _write(self, name: str, content: dict[str, Any]) -> None:
        (self.folder / name).write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))


def _is_kept(push: Push) -> bool:
    return any(ack.code == OK for ack in push.acks)


def _document(request: Request) -> str:
    """The document that a write names."""
    data = request.data
    if request.op == "WorkflowAudit":
        return f"{data['Numbers'][0]} {data['UserId']}"
    if request.op in UPLOADS:
        return f"{data['BillNO']} {data['FileName']}"
    return str(data.get("Ids") or data["Model"].get("FID") or data["Model"]["FBillNo"])


def _local(moment: str | None) -> str:
    return datetime.fromisoformat(moment).astimezone(SHANGHAI).isoformat()[:19] if moment else ""
