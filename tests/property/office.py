"""A Kingdee of plain Python in which other people work, also between two pages of a look.

Two forms: bills with dates, a status, an open set and entry rows; and stock, which has neither dates nor status. Every
state that a document ever had is kept, so that a test can say what a look could have seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any

from kdsync.errors import EdgeError, FailureKind
from kdsync.model import Facts, Layout, Page
from kdsync.services.ports import Known, Sure
from tests.unit.services.world import FORM, ZONE, FakeKingdee, Time, _row

STOCK = "STK_Inventory"
DATES = ("FCreateDate", "FModifyDate", "FApproveDate")
NO_PARTS: dict[str, Any] = dict.fromkeys(
    ("number", "status", "cancel", "close", "created", "modified", "approved", "creator", "modifier", "approver")
)
State = dict[str, Any] | None  # None: it is not there
Action = tuple[str, int, int]  # what is done, to which document, and how much of it
Name = tuple[str, str]  # form and id
SPACE = 20  # between the ids of two documents, for those that were begun earlier and committed later
LATE = (1, 4, 9, 30)  # seconds that a transaction took; the last is longer than any lookback promises


class Office(FakeKingdee):
    """Every answer is a step at which it may fail (`failing`), or somebody may do something (`meanwhile`)."""

    def __init__(self, clock: Time) -> None:
        super().__init__(clock)
        self.time = clock
        self.forms: dict[str, dict[int, dict[str, Any]]] = {FORM: {}, STOCK: {}}
        self.history: dict[Name, list[tuple[int, State]]] = {}
        self.moment = 0  # counts the changes
        self.step = 0  # counts the answers since it was told what will go wrong
        self.failing: dict[int, FailureKind] = {}
        self.meanwhile: dict[int, Sequence[Action]] = {}
        self.on_change: Callable[[Name, State, State], None] = lambda _name, _was, _now: None
        self.page_size = 2
        self.listed_at = ""  # its clock when the last list was begun
        self.listed_from = 0  # its count of changes then

    def expect(self, failing: Mapping[int, FailureKind], meanwhile: Mapping[int, Sequence[Action]]) -> None:
        """From now on, at the n-th answer, this goes wrong and that is done."""
        self.step, self.failing, self.meanwhile = 0, dict(failing), dict(meanwhile)

    # --- what people do

    def act(self, action: Action) -> None:
        """One thing that somebody does; nothing where it cannot be done to that document."""
        verb, pick, amount = action
        if verb == "wait":
            self.time.advance((0.003, 1, 5, 12, 40, 700, 90_000)[amount % 7])
        elif verb == "new":
            self._save(FORM, self._free(FORM), _bill(self.now(), amount))
        elif verb == "arrive":
            self._save(STOCK, self._free(STOCK), {"FBaseQty": amount, "entries": []})
        else:
            self._act_on(verb, pick, amount)

    def _act_on(self, verb: str, pick: int, amount: int) -> None:
        form = STOCK if verb in ("count", "used up") else FORM
        there = sorted(self.forms[form])
        if verb in ("remove", "used up"):
            if len(there) > 1:
                self._save(form, there[pick % len(there)], None)
        elif verb == "late new" and there:
            self._late_new(there[pick % len(there)], amount)
        elif verb in WORK:
            self._work(form, verb, pick, amount)

    def _work(self, form: str, verb: str, pick: int, amount: int) -> None:
        """To one of those documents to which that can be done."""
        now, then = self.now(), self._ago(LATE[amount % len(LATE)])
        after = {i: WORK[verb](document, now, then, amount) for i, document in self.forms[form].items()}
        able = [ident for ident, values in sorted(after.items()) if values is not None]
        if able:
            ident = able[pick % len(able)]
            self._save(form, ident, {**self.forms[form][ident], **(after[ident] or {})})

    def _late_new(self, ident: int, amount: int) -> None:
        """Begun before others that have been read, with a lower id; committed only now."""
        lower = next(i for i in range(ident - 1, 0, -1) if (FORM, str(i)) not in self.history)
        self._save(FORM, lower, _bill(self._ago(LATE[amount % len(LATE)]), amount))

    def _save(self, form: str, ident: int, state: State) -> None:
        was = self.forms[form].get(ident)
        if state is None:
            del self.forms[form][ident]
        else:
            standard = {"FID": ident, "FBillNo": f"K{ident}"} if form == FORM else {"FID": ident}
            state = self.forms[form][ident] = {**state, **standard}
        self.moment += 1
        name = (form, str(ident))
        self.history.setdefault(name, []).append((self.moment, dict(state) if state else None))
        self.on_change(name, was, state)

    def _free(self, form: str) -> int:
        return max([int(ident) for name, ident in self.history if name == form], default=0) + SPACE

    def _ago(self, seconds: float) -> str:
        return _printed(self._server_now() - timedelta(seconds=seconds))

    def now(self) -> str:
        return _printed(self._server_now())

    # --- what a look may find

    def states(self, name: Name, since: int) -> list[State]:
        """What a look that began at that moment may have found: the state then, and every one since."""
        past = [(moment, state) for moment, state in self.history.get(name, []) if moment <= since]
        later = [state for moment, state in self.history.get(name, []) if moment > since]
        return [past[-1][1] if past else None, *later]

    # --- what kdsync asks

    def facts(self, form: str, rows: Iterable[str]) -> Known:
        self._answer()
        if form == STOCK:
            return Known(Facts(STOCK, pk="FID", **NO_PARTS))
        return Known(Facts(FORM, entry="FEntry" if list(rows) else None))

    def pages(
        self,
        layout: Layout,
        where: str,
        *,
        after: Any = None,
        ahead: bool = False,
        sure: Sure | None = None,  # noqa: ARG002  # no page is cut short here
    ) -> Iterator[Page]:
        assert ahead or after is None, "only a first look goes on somewhere"
        last, matches, first = int(after or 0), _matching(where), True
        while True:
            self._answer()
            if first:
                self.listed_at, self.listed_from, first = self.now(), self.moment, False
            here = self.forms[layout.form]
            found = [d for i, d in sorted(here.items()) if i > last and matches(d)][: self.page_size]
            last = found[-1]["FID"] if found else last
            yield Page([_row(d, layout) for d in found], self._server_now(), last=len(found) < self.page_size)
            if len(found) < self.page_size:
                return

    def by_ids(self, layout: Layout, ids: Sequence[str]) -> Iterator[Page]:
        for start in range(0, len(ids), self.page_size):
            self._answer()
            here, some = self.forms[layout.form], ids[start : start + self.page_size]
            rows = [_row(here[int(ident)], layout) for ident in some if int(ident) in here]
            yield Page(rows, self._server_now(), last=start + self.page_size >= len(ids))

    def _answer(self) -> None:
        self.step += 1
        for action in self.meanwhile.pop(self.step, ()):
            self.act(action)
        kind = self.failing.pop(self.step, None)
        if kind:
            raise EdgeError("kingdee", kind, "cut", "cut", retry_after=3 if kind is FailureKind.RATE_LIMITED else None)


def moved(was: State, now: State) -> set[str]:
    """The dates that a change set to something."""
    return {now[key] for key in DATES if now.get(key) and (was or {}).get(key) != now[key]} if now else set()


def _bill(stamp: str, amount: int) -> dict[str, Any]:
    dates = {"FCreateDate": stamp, "FModifyDate": stamp if amount % 4 else None, "FApproveDate": None}
    flags = {"FDocumentStatus": "ZAAB"[amount % 4], "FCancelStatus": "A", "FCloseStatus": "A"}
    rows = [{"FQty": amount}] * (amount % 3)
    return {**flags, **dates, "FAmount": amount, "FNote": "", "FAlive": "no", "entries": rows}


Work = Callable[[dict[str, Any], str, str, int], dict[str, Any] | None]


def _status(allowed: str, to: str | Callable[[int], str], **values: Any) -> Work:
    """A step that moves the status alone."""

    def work(old: dict[str, Any], _now: str, _then: str, amount: int) -> dict[str, Any] | None:
        target = to if isinstance(to, str) else to(amount)
        return {"FDocumentStatus": target, **values} if old["FDocumentStatus"] in allowed else None

    return work


def _audit(old: dict[str, Any], now: str, _then: str, _amount: int) -> dict[str, Any] | None:
    return {"FDocumentStatus": "C", "FApproveDate": now} if old["FDocumentStatus"] == "B" else None


def _amount(old: dict[str, Any], amount: int) -> dict[str, Any]:
    """Another amount, or the same one written in another way."""
    ways = (amount, float(amount), amount, float(old["FAmount"]))
    return {"FAmount": ways[amount % len(ways)]}


def _rows(old: dict[str, Any], amount: int) -> dict[str, Any]:
    more = [*old["entries"], {"FQty": amount}]
    fewer = old["entries"][1:]
    other = [{"FQty": amount} for _ in old["entries"]]
    same = [{"FQty": f"{row['FQty']}.00" if isinstance(row["FQty"], int) else row["FQty"]} for row in old["entries"]]
    return {"entries": (more, fewer, other, same)[amount % 4]}


WORK: dict[str, Work] = {
    "edit": lambda old, now, _then, amount: {**_amount(old, amount), "FModifyDate": now},
    "late edit": lambda old, _now, then, amount: {**_amount(old, amount), "FModifyDate": then},
    "note": lambda _old, now, _then, amount: {"FNote": ("", " ", "x", "y")[amount % 4], "FModifyDate": now},
    "rows": lambda old, now, _then, amount: {**_rows(old, amount), "FModifyDate": now},
    "write back": lambda old, _now, _then, amount: _amount(old, amount),
    "write back rows": lambda old, _now, _then, amount: _rows(old, amount),
    "submit": _status("ZAD", "B"),
    "audit": _audit,
    "un-audit": _status("C", lambda amount: "DDDA"[amount % 4], FApproveDate=None),
    "reject": _status("B", lambda amount: "ZAD"[amount % 3]),
    "void": lambda _old, now, _then, amount: {"FCancelStatus": "BBBA"[amount % 4], "FModifyDate": now},
    "void silently": lambda _old, _now, _then, amount: {"FCancelStatus": "BBBA"[amount % 4]},
    "close": lambda _old, now, _then, amount: {"FCloseStatus": "BBBA"[amount % 4], "FModifyDate": now},
    "alive": lambda _old, _now, _then, amount: {"FAlive": ("yes", "no")[amount % 2]},
    "future": lambda _old, _now, _then, _amount: {"FModifyDate": "2099-01-01T00:00:00"},
    "null date": lambda _old, _now, _then, _amount: {"FModifyDate": None},
    "count": lambda _old, _now, _then, amount: {"FBaseQty": amount},
}
VERBS = ("wait", "new", "late new", "remove", "arrive", "used up", *WORK)


def _printed(moment: Any) -> str:
    local = moment.astimezone(ZONE).replace(tzinfo=None)
    return str(local.isoformat(timespec="milliseconds").rstrip("0").rstrip("."))


@lru_cache(maxsize=256)
def _matching(where: str) -> Callable[[Mapping[str, Any]], bool]:
    """A filter as a function: comparisons of keys with texts, `in`, and, or, brackets."""
    if not where:
        return lambda _document: True
    text = re.sub(r"(F\w+)>=", r"(d['\1'] or '').replace('T', ' ')>=", where)
    text = re.sub(r"(F\w+)( in )", r"d['\1']\2", text)
    code = compile(re.sub(r"(F\w+)=", r"d['\1']==", text), where, "eval")
    return lambda document: bool(eval(code, {}, {"d": document}))  # noqa: S307  # the test's own text
