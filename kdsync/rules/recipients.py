"""Whom a rule names: `user:USERID role:NAME dept:ID group:NAME creator modifier approver field:FKEY manager_of:X`."""

from __future__ import annotations

import re
from dataclasses import dataclass

WITH_VALUE = ("user", "role", "dept", "group", "field", "manager_of")
LONGEST = 200  # characters
KEY = r"[A-Za-z_]\w*(\.\w+)*"
WITHOUT_VALUE = ("creator", "modifier", "approver", "assignee")


@dataclass(frozen=True, slots=True)
class Recipient:
    """One entry of `to`: its kind, and what stands behind the colon ('' where nothing does)."""

    kind: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}" if self.value else self.kind

    @property
    def inner(self) -> Recipient:
        """The recipient whose manager is meant by `manager_of:X`."""
        return parse_recipient(self.value)

    @property
    def innermost(self) -> Recipient:
        """Whom everything before is the manager of: X in `manager_of:manager_of:X`, or itself."""
        found = self
        while found.kind == "manager_of":
            found = found.inner
        return found


def parse_recipient(text: str) -> Recipient:
    """Read one recipient; ValueError says what is wrong with it."""
    if len(text) > LONGEST:
        raise ValueError(f"a recipient has at most {LONGEST} characters")
    kind, colon, value = text.strip().partition(":")
    if kind in WITHOUT_VALUE and not colon:
        return Recipient(kind)
    if kind in WITH_VALUE and value.strip():
        recipient = Recipient(kind, value.strip())
        if kind == "manager_of":
            _ = recipient.inner
        if kind == "field":
            _check_key(recipient.value)
        return recipient
    if kind in WITH_VALUE:
        raise ValueError(f"'{text}' needs a value: {kind}:SOMETHING")
    raise ValueError(f"'{text}' is not a recipient; known are {', '.join(WITHOUT_VALUE + WITH_VALUE)}")


def _check_key(key: str) -> None:
    if not re.fullmatch(KEY, key):
        raise ValueError(f"'{key}' is not the key of a field, such as field:FPurchaserId")
    if key.startswith("entries."):
        raise ValueError(f"'{key}' is a field of many rows; name one of the document, such as field:FPurchaserId")
