"""Tells Kingdee's failures apart, by the table in `traps`."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace

from kdsync.errors import EdgeError, FailureKind, UnknownFieldError
from kdsync.kingdee.traps import TEXTS, TRAPS, Trap

MOST_WORDS = 300
"""So much of Kingdee's own text is quoted in an error."""
LONGEST_TEXT = 10_000
"""So much of it is looked at: what it is about stands at its beginning."""
LONGEST_CODE = 80
RATE_PAUSE = 60.0
"""Seconds to wait where Kingdee says "too many calls" without a time."""


@dataclass(frozen=True, slots=True)
class Symptom:
    """What is to be seen of a failure; empty where there is nothing of the sort."""

    text: str = ""  # Kingdee's own words, never an HTML page
    msgcode: str = ""  # ResponseStatus.MsgCode
    gateway: str = ""  # errcode of api.kingdee.com
    login: str = ""  # LoginResultType
    fault: str = ""  # what happened to the connection or the body, see `transport` and `answer`
    http: str = ""  # status of HTTP, where it is not 200 or 206
    detail: str = ""  # what the machine says about a fault; quoted, never matched

    @property
    def way_in(self) -> str:
        """The text where it is about the user: in a ResponseStatus it is about a document, and may quote anything."""
        return "" if self.msgcode else self.text


_ROWS = tuple((trap, re.compile(trap.match, re.DOTALL)) for trap in TRAPS)
_FAULTS = frozenset(trap.match for trap in TRAPS if trap.on == "fault")
_UNKNOWN_FIELD = re.compile(r"元数据中标识为[“\"'‘]?(.{1,100}?)[”\"'’]?的字段不存在")


def failure(symptom: Symptom, *, read: bool = True, retry_after: float | None = None) -> EdgeError:
    """The error for what is to be seen; `read` tells that the request changed nothing."""
    symptom = replace(symptom, text=symptom.text[:LONGEST_TEXT])
    missing = _UNKNOWN_FIELD.search(symptom.text)
    if missing:
        unknown = UnknownFieldError(missing[1], f"the form does not have the field {missing[1]}")
        unknown.cure = "correct the key; kdsync check --live lists those that do not exist"
        unknown.words = clipped(symptom.text)
        return unknown
    trap, value = _first(symptom)
    kind = trap.kind if read or trap.write is None else trap.write
    return EdgeError(
        "kingdee",
        kind,
        (trap.code or _named(trap.on, value))[:LONGEST_CODE],
        _with_words(trap.message, symptom.text or symptom.detail),
        cure="kdsync reads the document before it writes again" if kind is FailureKind.UNKNOWN_OUTCOME else trap.cure,
        retry_after=(retry_after or RATE_PAUSE) if kind is FailureKind.RATE_LIMITED else retry_after,
        words=clipped(symptom.text),
    )


def answered(error: EdgeError) -> bool:
    """Whether Kingdee itself said no, and not the way to it."""
    return error.code not in _FAULTS and not error.code.startswith(("http-", "unmapped-http", "unmapped-fault"))


def for_an_operator(error: EdgeError, what: str = "the session it just gave") -> EdgeError:
    """A lost session where no further login will help, because `what` is not accepted."""
    return EdgeError(
        "kingdee",
        FailureKind.CONFIGURATION,
        error.code,
        f"Kingdee does not accept {what}: {error.message}",
        cure=error.cure,
        retry_after=error.retry_after,
        words=error.words,
    )


def _first(symptom: Symptom) -> tuple[Trap, str]:
    for trap, pattern in _ROWS:
        value: str = getattr(symptom, trap.on)
        if value and (pattern.search(value) if trap.on in TEXTS else pattern.fullmatch(value)):
            return trap, value
    return _unmapped(symptom)


def _unmapped(symptom: Symptom) -> tuple[Trap, str]:
    """A failure nobody described yet: worth another try, and marked so that the table can learn it."""
    names = [item.name for item in fields(symptom) if item.name not in ("text", "detail")]
    seen = [f"{name}-{value}" for name in names if (value := getattr(symptom, name))]
    code = "unmapped-" + (seen[0] if seen else "text")
    message = "Kingdee failed in a way kdsync does not know"
    write = FailureKind.UNKNOWN_OUTCOME if symptom.http else None  # who said it may not know what became of it
    return Trap("text", "", FailureKind.TRANSIENT, code, message, "please report this text", write), ""


def _named(on: str, value: str) -> str:
    return f"{on}-{value}" if on in ("http", "gateway") else value


def clipped(words: str) -> str:
    """Kingdee's words on one line, no more of them than anybody reads."""
    words = " ".join(words.split())
    return words if len(words) <= MOST_WORDS else words[:MOST_WORDS] + "…"


def _with_words(message: str, words: str) -> str:
    quoted = clipped(words)
    return f"{message}: {quoted}" if quoted else message
