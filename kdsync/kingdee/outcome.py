"""Reads what Kingdee says became of one document that was to be changed.

IsSuccess alone tells little: the documents that were changed stand in SuccessEntitys, each with its Id, Number and
position, and the others in Errors; both may be filled. Source: in-product WebAPI help, "ResponseStatus" of every
operation.

A refusal of the document itself is an `Outcome` that is not done. What would have failed for every document, or may be
over in a moment, is an `EdgeError`; so is an answer that does not tell, whose outcome then is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.answer import unexpected
from kdsync.kingdee.errors import Symptom, answered, clipped, failure
from kdsync.kingdee.results import parsed_results, refusals
from kdsync.kingdee.rows import LONGEST_KEY

UNDESCRIBED = "unmapped-msgcode-"
"""Begins the codes of refusals that came in a ResponseStatus and in words that the table does not know: those of a
form's own checks, mostly."""

DUPLICATE = "duplicate"
"""The code of the refusal of a document whose number, or another field that must be unique, is taken."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one document. `text` are Kingdee's words, clipped; `code` is that of the table of failures."""

    doc_id: str
    number: str
    done: bool
    text: str = ""
    code: str = ""


def refused(error: EdgeError, doc_id: str, number: str = "") -> Outcome:
    """The outcome of a document that Kingdee refused; raises `error` where it is not about the document."""
    about_it = error.kind is FailureKind.REFUSED and answered(error)
    if about_it or error.code.startswith(UNDESCRIBED):
        return Outcome(doc_id, number, done=False, text=error.words or error.message, code=error.code)
    raise error


def outcome_of(answer: Any, doc_id: str) -> Outcome:
    """What became of the document `doc_id`, the only one that the request was about; "" for a new one."""
    result, status = _parts(answer)
    if not isinstance(status, Mapping):
        raise unexpected("a write should be answered with a ResponseStatus", read=False)
    ours = next((item for item in _mappings(status.get("SuccessEntitys")) if _is_it(item, doc_id)), None)
    words = _words(status.get("Errors")) or _words(status.get("SuccessMessages"))
    if ours is None and not doc_id and result.get("Id"):
        ours = result
    if ours is not None:
        return Outcome(_text(ours.get("Id")) or doc_id, _text(ours.get("Number")), done=True, text=words)
    if _mappings(status.get("Errors")):
        return _refused_in_words(words, doc_id)
    if doc_id and _said_yes(status) and not _mappings(status.get("SuccessEntitys")):
        return Outcome(doc_id, _text(result.get("Number")), done=True, text=words)
    raise unexpected("a write should be answered with the document that it changed", read=False)


def targets_of(answer: Any, doc_id: str) -> tuple[Outcome, ...]:
    """The bills that a push of `doc_id` made, in Kingdee's order, and last what it refused of it."""
    result, status = _parts(answer)
    saved = status if isinstance(status, Mapping) else {}
    converted = result.get("ConvertResponseStatus")
    converted = converted if isinstance(converted, Mapping) else {}
    made = [
        Outcome(_text(item["Id"]), _text(item.get("Number")), done=True)
        for item in _mappings(saved.get("SuccessEntitys"))
        if _text(item.get("Id"))
    ]
    errors = _words(saved.get("Errors")) or _words(converted.get("Errors"))
    if errors:
        made.append(_refused_in_words(errors, doc_id))
    if not made:
        raise unexpected("a push should be answered with the bills that it made", read=False)
    return tuple(made)


def decision_of(answer: Any, number: str) -> Outcome:
    """What became of the decision on the task of the bill `number`.

    Where Kingdee names no refusal the task should be looked at all the same: it says no more in the good case.
    """
    result, status = _parts(answer)
    told = status if isinstance(status, Mapping) else {}
    words = _words(told.get("Errors")) or "; ".join(refusals(result.get("OperationResults")))
    if words:
        return _refused_in_words(words, "", number)
    readable = "OperationResults" in result and parsed_results(result["OperationResults"]) is not None
    if not (readable or _said_yes(told)):
        raise unexpected("a decision should be answered with its OperationResults", read=False)
    return Outcome("", number, done=True, text=_words(told.get("SuccessMessages")))


def _parts(answer: Any) -> tuple[Mapping[str, Any], Any]:
    """`Result` and its `ResponseStatus`."""
    result = answer.get("Result") if isinstance(answer, Mapping) else None
    if not isinstance(result, Mapping):
        raise unexpected("a write should be answered with a Result", read=False)
    return result, result.get("ResponseStatus")


def _refused_in_words(words: str, doc_id: str, number: str = "") -> Outcome:
    return refused(failure(Symptom(text=words, msgcode="0"), read=False), doc_id, number)


def _is_it(item: Mapping[str, Any], doc_id: str) -> bool:
    return not doc_id or _text(item.get("Id")) in ("", doc_id)


def _said_yes(status: Mapping[str, Any]) -> bool:
    return str(status.get("IsSuccess")).casefold() == "true"


def _words(messages: Any) -> str:
    texts = [item.get("Message") if isinstance(item, Mapping) else item for item in _list(messages)]
    return clipped("; ".join(str(text).strip() for text in texts if isinstance(text, str) and text.strip()))


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in _list(value) if isinstance(item, Mapping)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    """An id or a number as text; "" for everything that stands for nothing."""
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return "" if text == "0" or len(text) > LONGEST_KEY else text
