"""Looks over kdsync's shoulder after every commit: each step of each document must be told completely, at once.

What it reads is the store as another process would see it. A step that is right leads from what was last seen to a
state that the document really had since the look began; its events and notifications are committed with it.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.property.office import DATES, Name, Office, State, moved
from tests.property.oracle import Telling, agree, expected, watched_by

Told = tuple[str, str, str, str]  # form, id, rule, kind
LIGHT = ("FDocumentStatus", "FCancelStatus", "FCloseStatus", "FApproveDate")


@dataclass
class Believed:
    """What kdsync thinks of one document."""

    version: int
    state: State
    raw: tuple[Any, ...]
    watched: frozenset[str]  # the keys that rules listened to when it was seen


@dataclass
class Witness:
    """`office` is what is true, `rules` are those in force, `lookback` is in seconds."""

    path: Path
    office: Office
    rules: Callable[[], Sequence[Telling]]
    believed: dict[Name, Believed] = field(default_factory=dict)
    owed: dict[Name, list[tuple[int, str]]] = field(default_factory=dict)  # promised changes: when, newest date
    unpromised: set[Name] = field(default_factory=set)  # changes that nothing but reconciling can find
    told: Counter[Told] = field(default_factory=Counter)
    missed: tuple[int, int] = (0, 0)  # how many events count as missed: at least and at most
    began: int = 0  # the office's count of changes when the look began
    newest: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    _ids: set[str] = field(default_factory=set)
    _events: set[tuple[Any, ...]] = field(default_factory=set)
    _baselined: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._file = sqlite3.connect(self.path, isolation_level=None)
        self._layouts: dict[int, dict[str, list[str]]] = {}

    def close(self) -> None:
        """Let go of the store."""
        self._file.close()

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the store."""
        return self._file.execute(query, values).fetchall()

    def committed(self) -> None:
        """Compare what has just been committed with what should have been."""
        forms: dict[int, str] = dict(self.ask("SELECT id, form FROM forms"))
        told, events = self._new_notifications(), self._new_events(forms)
        due: Counter[Told] = Counter()
        for name, old, new in self._steps(forms):
            due += self._step(name, old, new, events.pop(name, []))
        self._expect(not events, f"events without a step: {events}")
        self._expect(told == due, f"told {told - due} too much, {due - told} not at all")
        self.told += told
        self._cursors()
        self._baselined = {form for (form,) in self.ask("SELECT form FROM forms WHERE baselined_at IS NOT NULL")}

    def _step(self, name: Name, old: Believed | None, new: Believed, events: list[tuple[Any, ...]]) -> Counter[Told]:
        form, doc_id = name
        states = self.office.states(name, self.began)
        self._expect(any(_same(new.state, state) for state in states), f"{name} never was {new.state}")
        if form not in self._baselined:
            self._expect(not events, f"{name}: a first look has no events")
            return Counter()
        rules = [rule for rule in self.rules() if rule.form == form]
        was = old.state if old else None
        before = old.watched if old else frozenset()
        due = expected(was, new.state, rules, before) if was != new.state else None
        version = (old.version if old else 0) + bool(due and due.kinds)
        self._expect(new.version == max(version, 1), f"{name} is version {new.version}, not {version}")
        kinds = [(new.version, " ".join(due.kinds), " ".join(sorted(due.changed)))] if due and due.kinds else []
        self._expect([event[:3] for event in events] == kinds, f"{name}: {events} instead of {kinds}")
        if events and events[0][3] == "restore":
            self._expect(self._nothing_is_left_of(form), f"{name} counts as lost by a restore")
            return Counter()
        if events and events[0][3] == "keys" and new.state is not None:
            self._found_by_keys(name, changing=len(states) > 1)
        return Counter({(form, doc_id, rule, kind): count for (rule, kind), count in due.told.items()} if due else {})

    def _nothing_is_left_of(self, form: str) -> bool:
        """Only where all that was known has vanished may it be taken for a restored backup."""
        known = [name for name, found in self.believed.items() if name[0] == form and found.state is not None]
        return all(None in self.office.states(name, self.began) for name in known)

    def _found_by_keys(self, name: Name, *, changing: bool) -> None:
        """What only the look at all keys finds is missed, unless it changed while that look went on."""
        promised = name not in self.unpromised
        self._expect(changing or not promised, f"{name} was missed by the other looks")
        least, most = self.missed
        self.missed = least + (not changing), most + (not promised)

    def _steps(self, forms: dict[int, str]) -> Iterable[tuple[Name, Believed | None, Believed]]:
        rows = self.ask("SELECT form_id, doc_id, version, is_gone, layout_id, row FROM documents")
        for form_id, doc_id, version, is_gone, layout_id, row in rows:
            name, raw = (forms[form_id], doc_id), (version, is_gone, layout_id, row)
            old = self.believed.get(name)
            if old is None or old.raw != raw:
                watched = watched_by([rule for rule in self.rules() if rule.form == name[0]])
                new = Believed(version, None if is_gone else self._open(layout_id, row), raw, watched)
                yield name, old, new
                self.believed[name] = new

    def _open(self, layout_id: int, row: bytes) -> dict[str, Any]:
        if layout_id not in self._layouts:
            self._layouts.update({i: json.loads(text) for i, text in self.ask("SELECT id, columns FROM layouts")})
        layout, values = self._layouts[layout_id], json.loads(row)
        state = dict(zip(layout["heads"], values, strict=False))
        rows = values[-1] if layout["entries"] else []
        entries = [dict(zip(layout["entries"], one, strict=True)) for one in rows]
        return {**state, **({"entries": entries} if layout["entries"] else {})}

    def _new_notifications(self) -> Counter[Told]:
        rows = self.ask(
            "SELECT id, form, doc_id, rule, kind FROM notifications WHERE rule <> 'kdsync' AND kind <> 'storm'"
        )
        new = [row for row in rows if row[0] not in self._ids]
        self._ids.update(row[0] for row in new)
        return Counter(tuple(row[1:]) for row in new)

    def _new_events(self, forms: dict[int, str]) -> dict[Name, list[tuple[Any, ...]]]:
        found: dict[Name, list[tuple[Any, ...]]] = {}
        rows = set(self.ask("SELECT form_id, doc_id, version, kinds, changed, found_by FROM events"))
        for form_id, doc_id, *rest in rows - self._events:
            found.setdefault((forms[form_id], doc_id), []).append(tuple(rest))
        self._events = rows
        return found

    # --- what the looks owe

    def changed(self, name: Name, was: State, now: State, *, horizon: str, is_open: bool) -> None:
        """Somebody changed a document. `horizon`: dates from then on are promised to be looked at."""
        stamps = [stamp for stamp in moved(was, now) if stamp >= horizon]
        if stamps:
            self.owed.setdefault(name, []).append((self.office.moment, max(stamps)))
        elif now is not None and not is_open:
            self.unpromised.add(name)

    def dates_looked_at(self) -> None:
        """A look by dates came to its end: what it owed is known."""
        for name, owed in self.owed.items():
            for moment, stamp in owed:
                if moment <= self.began:
                    self._expect_seen(name, moment, stamp, "dates")
            self.owed[name] = [one for one in owed if one[0] > self.began]

    def _expect_seen(self, name: Name, since: int, stamp: str, look: str) -> None:
        """A document that was neither deleted nor lost its date since then is known as it was then or later."""
        states = self.office.states(name, since)
        if all(state and max(state[key] or "" for key in DATES) >= stamp for state in states):
            self.expect_fresh(name, since, look)

    def expect_fresh(self, name: Name, since: int, look: str, keys: Sequence[str] | None = None) -> None:
        """What is believed of a document is what it was at some moment since then."""
        states, found = self.office.states(name, since), self.believed.get(name)
        state = found.state if found else None
        fresh = any(agree(state, real, keys or list(state or ())) for real in states)
        self._expect(fresh, f"{look}: {name} is believed to be {state} and was {states}")

    def _cursors(self) -> None:
        """No cursor is ahead of Kingdee's clock when the look began, nor of what is committed."""
        for form, newest in self.ask("SELECT form, newest FROM forms"):
            if newest != self.newest.get(form, ""):
                self._expect(newest <= self.office.listed_at, f"the cursor {newest} is from the future")
                self._expect(newest > self.newest.get(form, ""), f"the cursor went back to {newest}")
                self.newest[form] = newest
                if form not in self._baselined:
                    continue
                for name, owed in self.owed.items():
                    for moment, stamp in owed:
                        if name[0] == form and moment <= self.office.listed_from and stamp < newest:
                            self._expect_seen(name, moment, stamp, f"cursor at {newest}")

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.wrong.append(otherwise)
            raise AssertionError(otherwise)


def _same(believed: State, real: State) -> bool:
    return agree(believed, real, list(believed or ()))


def light(rules: Iterable[Telling]) -> list[str]:
    """What the look at open documents compares."""
    return [*LIGHT, *{key for rule in rules for key in rule.watched}]


KEYS = (*LIGHT, *DATES)
