"""Sending by DingTalk, in the shape that the services ask for: work notifications, groups' robots, cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import orjson

from kdsync.dingtalk.cards import NO_SUCH_CARD, Cards, Face
from kdsync.dingtalk.groups import GroupRobots
from kdsync.dingtalk.messages import BAR_OVER, BARS, group_message, shows_bar, work_message
from kdsync.dingtalk.work import WorkNotices
from kdsync.errors import EdgeError
from kdsync.model import Content, Offered, Priority, Status
from kdsync.store.outbox import WORK


@dataclass(frozen=True, slots=True)
class DingTalkCourier:
    """`services.ports.Courier`. `has_cards`: there is a template; cards that are out can be changed without."""

    notices: WorkNotices
    robots: GroupRobots
    cards: Cards
    has_cards: bool

    def compose(
        self, channel: str, content: Content, footer: str, *, priority: Priority, button: str, bar: str = ""
    ) -> bytes:
        """The bytes of a message."""
        if channel == WORK:
            return work_message(content, footer, priority=priority, button=button, bar=bar)
        return group_message(content, footer, priority=priority)

    def compose_card(self, content: Content, actions: Sequence[Offered], locale: str) -> bytes:
        """The face of a card, as JSON."""
        face = Face(
            content.title,
            content.body,
            fields=content.fields,
            buttons=tuple((action.id, action.title(locale)) for action in actions),
            with_reason=any(action.with_reason for action in actions),
            locale=locale,
            link=content.link,
        )
        return orjson.dumps(asdict(face))

    def send_work(self, userids: Sequence[str], message: bytes) -> str:
        """A work notification."""
        return self.notices.send_work(userids, (), message).task_id

    def shows_bar(self, message: bytes) -> bool:
        """Whether it has a status bar."""
        return shows_bar(message)

    def change_bar(self, task: str, text: str, status: str) -> None:
        """Another status bar."""
        known = status in set(Status)
        self.notices.change_status_bar(task, text, BARS.get(Status(status), BAR_OVER) if known else BAR_OVER)

    def send_card(self, track: str, userids: Sequence[str], face: bytes) -> Mapping[str, str]:
        """A card with buttons."""
        result = self.cards.deliver(track, userids, _face(face), {})
        return {missed.userid: missed.said for missed in result.not_shown}

    def update_card(self, track: str, face: bytes, line: str, *, is_open: bool, private: Mapping[str, str]) -> None:
        """Another line below the card; without buttons, unless it is open."""
        own = {userid: {"status": text, "open": "true" if is_open else "false"} for userid, text in private.items()}
        self.cards.update(track, replace(_face(face), status=line, open=is_open), own)

    def has_card(self, track: str, face: bytes) -> bool:
        """DingTalk tells it of a card when it is changed; to what it is, here."""
        try:
            self.update_card(track, face, "", is_open=True, private={})
        except EdgeError as error:
            if error.code != NO_SUCH_CARD:
                raise
            return False
        return True

    def send_group(self, name: str, message: bytes, ident: str) -> str:
        """A message of a group's robot."""
        return self.robots.send_group(name, message, ident).task_id


def _face(stored: bytes) -> Face:
    known = orjson.loads(stored)
    pairs = {name: tuple((one, other) for one, other in known[name]) for name in ("fields", "buttons")}
    return Face(**{**known, **pairs})
