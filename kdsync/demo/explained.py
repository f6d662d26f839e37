"""Which messages a fault explains, so that the demo can tell them from what nobody asked for.

Only what follows from the fault by itself. Operators hear that a system is down or back, that something in it cannot be
read, and of the odd answers that were made; while Kingdee's tasks cannot be read, those who stand in for an assignee
hear of what came into approval. A message that was lost, or a recipient who was not found, stays unasked on any day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from string import Formatter

from kdsync.delivery.words import WORDS
from kdsync.demo.company import GROUP
from kdsync.demo.tally import Notice

OPERATORS = frozenset({"ops1", GROUP})
"""`fallback` of the shipped kdsync.yaml, and the group that stands in for it while work notifications are down."""
STAND_INS = frozenset({"user2", "user3"})
"""`approvers` of the shipped rule expense-assigned."""
ASSIGNED = re.compile("待您审批：.+")
CALLED: Mapping[str, str] = {"kingdee": "Kingdee", "dingtalk": r"DingTalk(?: \(.+\))?"}
OUTAGE = ("down", "back", "sends_again")
LOOKS = ("form_failed", "form_back", "sweep_failed", "sweep_back", "reconcile_failed", "reconcile_back")
OF_ANY: Mapping[str, tuple[str, ...]] = {
    "kingdee": (*OUTAGE, *LOOKS, "tasks_unreadable", "tasks_readable"),
    "dingtalk": (*OUTAGE, "stream_down", "stream_back"),
}
OF_ONE: Mapping[str, tuple[str, ...]] = {
    "short_page": ("short",),
    "wider_rows": ("unreadable",),
    "no_rows": ("vanished", "vanished_over"),
}


def explained(system: str, fault: str, at: datetime) -> Iterator[Notice]:
    """What may be told when `fault` has struck `system`."""
    if system == "kingdee":
        yield Notice(STAND_INS, ASSIGNED, at)
    for kind in (*OF_ANY[system], *OF_ONE.get(fault, ())):
        yield Notice(OPERATORS, _titles(kind, system), at)


@cache
def _titles(kind: str, system: str) -> re.Pattern[str]:
    """The title in any language, whatever fills it in but the system's name."""
    return re.compile("|".join(_title(words, CALLED[system]) for words in WORDS[f"{kind}_title"]))


def _title(words: str, system: str) -> str:
    parts: Iterable[tuple[str, str | None]] = ((text, name) for text, name, *_ in Formatter().parse(words))
    blanks = {None: "", "system": system}
    return "".join(re.escape(text) + blanks.get(name, ".+") for text, name in parts)
