"""The end of a look: what its pages gathered is told, summed up or held, all in one transaction.

Everything is decided from what the store holds, so a crash before the end costs nothing: the next look at the form,
or the next start of the daemon, finds what was gathered and settles it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from kdsync import logs
from kdsync.clock import Clock
from kdsync.delivery.storm import Gathered, Storm, Verdict, decide
from kdsync.delivery.words import words
from kdsync.model import Content
from kdsync.rules.schema import STORM as LIMIT
from kdsync.services.match import Matcher
from kdsync.services.notices import Notices
from kdsync.services.ports import Meter
from kdsync.store import notifications, storms
from kdsync.store.database import Database
from kdsync.store.notifications import HELD, MATCHED, STORM, Notification, Wanted
from kdsync.store.sealing import Seal
from kdsync.sync import identity

log = logs.get("settle")
PATIENCE = 8.0  # seconds that a message waits for the end of its look: a form of a million rows is read for minutes
SHORT = 10  # characters of a storm's id that a message shows
STRANGE = "strange: the document is older than it was, or another one under the same id"


@dataclass(frozen=True, slots=True)
class Settle:
    """Settles what was gathered.

    `_clear` are forms of which nothing is, so that an idle look asks nothing; `_since` tells since when (monotonic)
    something of the others is.
    """

    db: Database
    seal: Seal
    clock: Clock
    meter: Meter
    notices: Notices
    _clear: set[str] = field(default_factory=set)
    _since: dict[str, float] = field(default_factory=dict)

    def expect(self, form: str) -> None:
        """Something of the form is about to be gathered."""
        self._clear.discard(form)
        self._since.setdefault(form, self.clock.monotonic())

    def is_overdue(self, form: str) -> bool:
        """Whether something of the form has waited long enough, although its look goes on."""
        since = self._since.get(form)
        return since is not None and self.clock.monotonic() - since > PATIENCE

    def look(self, form: str, matcher: Matcher, title: Mapping[str, str]) -> None:
        """Settle what is left of looks at a form, if anything is."""
        if form in self._clear:
            return
        with self.db.read() as tx:
            clear = storms.is_clear(tx, form)
        if not clear:
            with self.db.write() as tx:
                verdict = self.within(tx, form, matcher, title)
            self.settled(form, verdict)
        self._note_clear(form)

    def leftovers(self, matcher: Matcher) -> None:
        """Settle what an end of the daemon left gathered, forms no longer watched included."""
        with self.db.read() as tx:
            forms = storms.forms_with_gathered(tx)
        for form in forms:
            self.look(form, matcher, {})

    def within(self, tx: Connection, form: str, matcher: Matcher, title: Mapping[str, str]) -> Verdict:
        """Settle what is gathered of a form, as part of a transaction; to be followed by `settled`."""
        verdict = decide(storms.gathered(tx, form), lambda rule: _limit(matcher, rule))
        storms.decide(tx, (one.id for one in verdict.told), MATCHED)
        for storm in verdict.storms:
            summary = _summary(storm, form, matcher, title, self.clock.now())
            notifications.add(tx, self.seal, [summary])
            storms.decide(tx, (one.id for one in storm.members), STORM, storm=summary.id)
        if verdict.held:
            storms.decide(tx, (one.id for one in verdict.held), HELD, reason=STRANGE)
            self._tell_held(tx, form, verdict.held)
        return verdict

    def settled(self, form: str, verdict: Verdict) -> None:
        """Say what a committed transaction did."""
        self._note_clear(form)
        for storm in verdict.storms:
            ident, messages = _id(storm, form)[1], len(storm.members)
            log.warning("storm.summed_up", form=form, rule=storm.rule, notification_id=ident, messages=messages)
            self.meter.count("storms", labels={"form": form, "rule": storm.rule})
        if verdict.held:
            log.error("notifications.held", form=form, messages=len(verdict.held), documents=_documents(verdict.held))

    def _note_clear(self, form: str) -> None:
        self._clear.add(form)
        self._since.pop(form, None)

    def _tell_held(self, tx: Connection, form: str, held: tuple[Gathered, ...]) -> None:
        documents = _documents(held)
        self.notices.raise_within(tx, f"held {form}", "held", form=form, count=len(held), documents=documents)


def _limit(matcher: Matcher, rule: str) -> int | None:
    """The limit of a rule; of one that is gone the usual one."""
    found = matcher.ruleset.with_id(rule)
    return found.storm if found else LIMIT


def _documents(held: tuple[Gathered, ...]) -> int:
    return len({one.doc_id for one in held})


def _id(storm: Storm, form: str) -> tuple[str, str]:
    """The ids of the event and of the notification that sum a storm up: no notification is in two of them."""
    event = identity.digest("storm", form, storm.members[0].id)
    return event, identity.notification_id(event, storm.rule)


def _summary(storm: Storm, form: str, matcher: Matcher, title: Mapping[str, str], now: datetime) -> Notification:
    event, ident = _id(storm, form)
    recipients = dict.fromkeys([Wanted(*one) for one in storm.wanted] + [Wanted(str(one)) for one in matcher.fallback])
    return Notification(
        id=ident,
        event_id=event,
        form=form,
        doc_id="",
        number="",
        rule=storm.rule,
        kind="storm",
        priority=storm.members[0].priority,
        state=MATCHED,
        wanted=tuple(recipients),
        contents={locale: _content(storm, title.get(locale, form), ident, locale) for locale in matcher.locales},
        created_at=now,
    )


def _content(storm: Storm, form: str, ident: str, locale: str) -> Content:
    text = "storm_failed" if storm.error else "storm"
    params = {
        "rule": storm.rule,
        "form": form,
        "count": len(storm.members),
        "limit": storm.limit,
        "numbers": words("comma", locale).join(storm.numbers),
        "error": storm.error,
        "ident": ident[:SHORT],
    }
    return Content(words(f"{text}_title", locale, **params), words(f"{text}_body", locale, **params))
