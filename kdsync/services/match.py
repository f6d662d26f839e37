"""From one change to what the rules have to tell about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from kdsync import logs
from kdsync.delivery.render import RenderError, render
from kdsync.delivery.words import words
from kdsync.model import Content, Document, Event, Layout, Offer, Origin, Row, Transition
from kdsync.rules.actions import CompiledAction, offered_of
from kdsync.rules.compile import CompiledRule
from kdsync.rules.evaluate import Broken, NoMatch, Own, evaluate
from kdsync.rules.recipients import Recipient
from kdsync.rules.ruleset import Ruleset
from kdsync.services.patience import STORES_OWN
from kdsync.services.watch import Watch, person_key
from kdsync.store.notifications import GATHERED, SHADOW, Notification, Wanted
from kdsync.store.origins import OWN
from kdsync.sync import identity
from kdsync.sync.diff import CHANGED, Change

log = logs.get("match")
USERS = "SEC_User"  # whom creator, modifier and approver of a document refer to
NOT_TOLD = "it was done through kdsync, and the rule is about what is done in Kingdee (origin: kingdee)"


@dataclass(frozen=True, slots=True)
class Matcher:
    """Evaluates the rules of one ruleset. `locales` are the languages that some recipient reads.

    `waiting_for` tells for which Kingdee users the document of a form and number waits, as far as is known.
    `actions` are those that can be answered with, by id.
    """

    account_set: str
    ruleset: Ruleset
    zone: ZoneInfo
    locales: tuple[str, ...]
    fallback: tuple[Recipient, ...]
    waiting_for: Callable[[str, str], Sequence[str]] = lambda _form, _number: ()
    actions: Mapping[str, CompiledAction] = field(default_factory=dict)

    def notifications(self, watch: Watch, doc_id: str, change: Change, now: datetime) -> Iterator[Notification]:
        """What the rules tell about a change; in the order of its transitions, by their `created_at`."""
        order = 0
        for kind in change.kinds:
            rules = self.ruleset.listening(watch.form, kind)
            event = self._event(watch, doc_id, change, kind, now) if rules else None
            for rule in rules:
                found = self._surely(watch, rule, event, now) if event else None
                if found:
                    yield replace(found, created_at=now + timedelta(microseconds=order), strange=change.strange)
                    order += 1

    def about(self, watch: Watch, event: Event, now: datetime) -> list[Notification]:
        """What the rules tell about an event that is no change of the document."""
        rules = self.ruleset.listening(watch.form, event.kind)
        asked = (self._surely(watch, rule, event, now) for rule in rules if rule.approvers or not _is_unread(event))
        told = (one for one in asked if one)
        return [replace(one, created_at=now + timedelta(microseconds=place)) for place, one in enumerate(told)]

    def _event(self, watch: Watch, doc_id: str, change: Change, kind: Transition, now: datetime) -> Event:
        """The event, its changed keys also as the rules spell them (keys are the same in any case)."""
        event = as_event(self.account_set, watch, doc_id, change, kind, now)
        if not event.changed:
            return event
        folded = {key.casefold() for key in event.changed}
        spelled = {key for key in self.ruleset.needs(watch.form).watched if key.casefold() in folded}
        return replace(event, changed=event.changed | spelled)

    def _surely(self, watch: Watch, rule: CompiledRule, event: Event, now: datetime) -> Notification | None:
        """Ask a rule; one that trips over a mistake of ours must not keep the others from their turn."""
        try:
            return self._notification(watch, rule, event, now)
        except STORES_OWN:
            raise
        except Exception as error:
            log.exception("rule.broke", form=event.form, bill_no=event.number, rule=rule.id)
            return self._broken(rule, event, f"kdsync could not ask it ({type(error).__name__})", now)

    def _notification(self, watch: Watch, rule: CompiledRule, event: Event, now: datetime) -> Notification | None:
        verdict = evaluate(rule, event, now=now, zone=self.zone)
        ids = {"form": event.form, "bill_no": event.number, "event_id": event.event_id, "rule": rule.id}
        if isinstance(verdict, Broken):
            log.error("rule.failed", error=verdict.error, **ids)
            return self._broken(rule, event, verdict.error, now)
        if isinstance(verdict, NoMatch):
            log.debug("rule.not_matched", reason=verdict.reason, **ids)
            return None
        is_own = isinstance(verdict, Own)
        log.info("rule.own_change" if is_own else "rule.matched", mode=rule.mode, **ids)
        try:
            contents = self._contents(rule, event, watch, now)
        except RenderError as error:
            log.error("rule.failed", error=str(error), **ids)
            return self._broken(rule, event, str(error), now)
        recipients = rule.stand_ins if _is_unread(event) else rule.to
        wanted = tuple(one for recipient in recipients for one in self._wanted(recipient, watch, event))
        state, offer = SHADOW if rule.mode == "shadow" else OWN if is_own else GATHERED, self._offer(rule, event, watch)
        reason = NOT_TOLD if is_own else ""
        return _notification(rule, event, wanted, contents, now, state=state, reason=reason, offer=offer)

    def _wanted(self, recipient: Recipient, watch: Watch, event: Event) -> Sequence[Wanted]:
        """One for each person whose id the event or the document holds; of several assignees, one for each."""
        if recipient.innermost.kind != "assignee":
            return [_wanted(recipient, watch, event)]
        receivers = [event.task.receiver] if event.task else self.waiting_for(event.form, event.number)
        return [Wanted(str(recipient), receiver, USERS) for receiver in dict.fromkeys(receivers)] or [
            Wanted(str(recipient))
        ]

    def _contents(self, rule: CompiledRule, event: Event, watch: Watch, now: datetime) -> dict[str, Content]:
        title = watch.facts.title
        return {
            locale: render(
                rule, event, locale=locale, now=now, zone=self.zone, form_title=title.get(locale, watch.form)
            )
            for locale in self.locales
        }

    def _offer(self, rule: CompiledRule, event: Event, watch: Watch) -> Offer | None:
        """What the reader may answer, and the values of the document that the rule looked at."""
        offered = [self.actions[ident] for ident in rule.actions if ident in self.actions]
        if not offered or event.new is None:
            return None
        keys = {key.casefold() for key in rule.needs.heads.union(*(action.heads for action in offered))}
        facts = watch.facts
        keys -= {key.casefold() for key in (*facts.dates, facts.status, facts.modifier, facts.approver) if key}
        return Offer(
            tuple(map(offered_of, offered)),
            seen={key: value for key, value in event.new.values.items() if key.casefold() in keys},
            version=event.version,
            item_id=event.task.item_id if event.task else "",
        )

    def _broken(self, rule: CompiledRule, event: Event, error: str, now: datetime) -> Notification:
        """A rule that fails on one document is told to the fallback in place of what it should have told; one in shadow
        sends nothing, that neither."""
        contents = {
            locale: Content(
                title=words("rule_failed_title", locale, rule=rule.id, number=event.number),
                body=words("rule_failed_body", locale, rule=rule.id, form=event.form, number=event.number, error=error),
            )
            for locale in self.locales
        }
        wanted = tuple(Wanted(str(recipient)) for recipient in self.fallback)
        state = SHADOW if rule.mode == "shadow" else GATHERED
        return _notification(rule, event, wanted, contents, now, state=state, reason=f"rule failed: {error}")


def _is_unread(event: Event) -> bool:
    """Whether the event stands for tasks that could not be read: whom they wait for is not known."""
    return event.task is not None and not event.task.item_id


def as_event(account_set: str, watch: Watch, doc_id: str, change: Change, kind: Transition, now: datetime) -> Event:
    """One of the events that a change consists of."""
    old = document_of(watch, doc_id, change.old.layout, change.old.row) if change.old else None
    new = document_of(watch, doc_id, change.layout, change.row) if change.row is not None else None
    number = (new or old).number if (new or old) else ""  # type: ignore[union-attr]  # one of them stands
    return Event(
        event_id=identity.event_id(account_set, watch.form, doc_id, change.version, kind),
        kind=kind,
        form=watch.form,
        doc_id=doc_id,
        number=number,
        version=change.version,
        noticed_at=now,
        old=old,
        new=new,
        changed=change.changed if kind is CHANGED else frozenset(),
        origin=Origin.DINGTALK if kind in change.ours else Origin.KINGDEE,
    )


def number_of(row: Row, layout: Layout, doc_id: str) -> str:
    """The bill number, or the id of a document without one."""
    place = layout.number_place
    return (str(row[place] or "").strip() or doc_id) if place is not None else doc_id


def document_of(watch: Watch, doc_id: str, layout: Layout, row: Row) -> Document:
    """A row by key."""
    entries = [dict(zip(layout.entries, values, strict=True)) for values in row[-1]] if layout.entries else []
    number = number_of(row, layout, doc_id)
    return Document(watch.form, doc_id, number, dict(zip(layout.heads, row, strict=False)), entries)


def _wanted(recipient: Recipient, watch: Watch, event: Event) -> Wanted:
    key = person_key(recipient, watch.facts)
    raw = _lookup(event.document.values, key) if key else None
    if key is None or raw is None:
        return Wanted(str(recipient))
    of_user = key in (watch.facts.creator, watch.facts.modifier, watch.facts.approver)
    return Wanted(str(recipient), str(raw).strip(), USERS if of_user else watch.lookup_of(key))


def _lookup(values: Mapping[str, object], key: str) -> object:
    found = values.get(key)
    return found if found is not None else {k.casefold(): v for k, v in values.items()}.get(key.casefold())


def _notification(
    rule: CompiledRule,
    event: Event,
    wanted: tuple[Wanted, ...],
    contents: dict[str, Content],
    now: datetime,
    *,
    state: str,
    reason: str = "",
    offer: Offer | None = None,
) -> Notification:
    return Notification(
        id=identity.notification_id(event.event_id, rule.id),
        event_id=event.event_id,
        form=event.form,
        doc_id=event.doc_id,
        number=event.number,
        rule=rule.id,
        kind=event.kind,
        priority=rule.priority,
        state=state,
        wanted=wanted,
        contents=contents,
        created_at=now,
        reason=reason,
        offer=offer,
    )
