"""The one answer of somebody without a userid: that kdsync does not know them, in the conversation that they wrote in.

No work notification reaches them, only the address that came with their message. It is a secret and dies after an hour
and a half, which is why this is no letter of the outbox: letters live for days, are listed, retried and released by
hand, and one that was accepted may be sent again after a crash because DingTalk drops the same work notification, which
it does not do in a conversation. Instead the inbox itself is the note: that the answer is being posted is committed
before it is, so whatever was cut off in between is not posted again. Then nobody can tell whether it was read, and
`fallback` hears of that instead: never twice, and never in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from unicodedata import normalize

from sqlalchemy import Connection

from kdsync.clock import Clock
from kdsync.delivery.words import words
from kdsync.errors import EdgeError, FailureKind
from kdsync.services import heard
from kdsync.services.notices import Notices
from kdsync.services.replies import Ending
from kdsync.store import inbox
from kdsync.store.database import Database
from kdsync.store.inbox import Received
from kdsync.store.sealing import Seal

STRANGER = "somebody from outside the organisation"
AGAIN = (FailureKind.TRANSIENT, FailureKind.RATE_LIMITED, FailureKind.SESSION_LOST)  # nothing was posted
VIETNAMESE = frozenset("ăđơư") | {chr(code) for code in range(0x1EA0, 0x1EFA)}
HAN = range(0x3400, 0xA000)

Post = Callable[[str, str, str], None]
"""Posts a title and a text to the address of a conversation; raises EdgeError."""


@dataclass(frozen=True, slots=True)
class Outsiders:
    """Answers those whom nothing but the address of their conversation reaches."""

    db: Database
    seal: Seal
    clock: Clock
    notices: Notices
    post: Post

    def answer(self, item: Received) -> Ending:
        """How it ends. Raises EdgeError where nothing was posted and another try may help."""
        address = str(item.content.get(heard.SESSION) or "")
        if item.content.get(heard.POSTING):
            return self.unanswered(item, "kdsync was cut off while it answered, and does not answer twice")
        if not address:
            return self.unanswered(item, "no address came with the message")
        locale = language(heard.text(item))
        self._note(item, posting=True)
        try:
            self.post(address, words("reply_outsider_title", locale), words("reply_outsider_body", locale))
        except EdgeError as error:
            if error.kind not in AGAIN:
                return self.unanswered(item, str(error))
            self._note(item, posting=False)
            raise
        return Ending(inbox.IGNORED, "", f"{STRANGER}, who was told so", {}, {})

    def unanswered(self, item: Received, reason: str) -> Ending:
        """Nobody could tell them. `fallback` hears of it, once a day: strangers can write as often as they like."""
        cause = f"unanswered {self.clock.now():%Y-%m-%d}"

        def tell(tx: Connection) -> None:
            self.notices.mention_within(tx, cause, "unanswered", error=reason)

        return Ending(inbox.IGNORED, "", f"{STRANGER}, without an answer: {reason}", {}, {}, item=item, within=tell)

    def _note(self, item: Received, *, posting: bool) -> None:
        noted = replace(item, content={**item.content, heard.POSTING: posting})
        with self.db.write() as tx:
            inbox.understood(tx, self.seal, noted)


def language(text: str) -> str:
    """The language to answer in, by what was written: bill numbers tell nothing, and Chinese it is in doubt."""
    letters = {
        letter for word in normalize("NFC", text.lower()).split() if not any(map(str.isdigit, word)) for letter in word
    }
    if any(ord(letter) in HAN for letter in normalize("NFC", text)):
        return "zh"
    if letters & VIETNAMESE:
        return "vi"
    return "en" if any(letter.isascii() and letter.isalpha() for letter in letters) else "zh"
