"""Messages that offer something to do, as cards: which letters go together on one, and what it is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from kdsync.model import Offer
from kdsync.store.cards import Card
from kdsync.store.notifications import Notification
from kdsync.store.outbox import CARD, WORK, Letter
from kdsync.sync import identity

ROOM = 900  # of the 1000 characters in which DingTalk takes the recipients of one card
EACH = len("IM_ROBOT.;")


def on_cards(
    notification: Notification,
    letters: Iterable[Letter],
    locale_of: Callable[[str], str],
    face_of: Callable[[str], bytes],
) -> tuple[list[Letter], list[Card]]:
    """The letters, those to people on cards, and the cards: one for each language, so that one call changes it for all.

    What a letter says is kept as text: it is sent so where the card is not taken. The letters of one card are claimed
    together, so that the card is the same however often it is tried.
    """
    offer = notification.offer
    if offer is None:
        return list(letters), []
    mine: dict[str, list[Letter]] = defaultdict(list)
    others = []
    for letter in letters:
        if letter.channel == WORK:
            mine[locale_of(letter.target)].append(letter)
        else:
            others.append(letter)
    carried, cards = others, []
    for locale, several in mine.items():
        for some in _by_room(several):
            content = identity.digest("card", some[0].content_id, *(letter.target for letter in some))
            carried += (replace(letter, channel=CARD, content_id=content) for letter in some)
            cards.append(_card(notification, offer, content, locale, face_of(locale)))
    return carried, cards


def _by_room(letters: list[Letter]) -> Iterator[list[Letter]]:
    some: list[Letter] = []
    for letter in letters:
        if some and sum(len(one.target) + EACH for one in (*some, letter)) > ROOM:
            yield some
            some = []
        some.append(letter)
    if some:
        yield some


def _card(notification: Notification, offer: Offer, content_id: str, locale: str, face: bytes) -> Card:
    return Card(
        track=identity.card_id(notification.id, content_id),
        notification_id=notification.id,
        content_id=content_id,
        locale=locale,
        form=notification.form,
        doc_id=notification.doc_id,
        number=notification.number,
        version=offer.version,
        face=face,
        created_at=notification.created_at,
        item_id=offer.item_id,
        actions=tuple(action.id for action in offer.actions),
        seen=offer.seen,
    )
