"""Taking back what was confirmed and waits for its time to be over (`undo` of an action)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kdsync.commands.lexicon import leads, numbers_after, skip
from kdsync.commands.spelling import spelt

_WORD = re.compile(r"(?:撤销|撤回)|(?:undo|hủy|huỷ)(?![^\W_])")
LAST = ("",)  # whatever it was last


def asked(text: str) -> Sequence[str] | None:
    """What may be the number of what somebody takes back, the likeliest first; None where nothing is taken back.

    It may be too much that is understood so: nothing is changed then, and that is said.
    """
    message = spelt(text)
    found = next((found for start in leads(message) if (found := _WORD.match(message.flat, start))), None)
    if found is None:
        return None
    if skip(message, found.end()) >= len(message.flat):
        return LAST
    return [one.number for one in numbers_after(message, found.end(), glued=True)] or None
