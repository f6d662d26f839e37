"""Changes documents: submit, audit, save, push, and whatever operation a form has.

Everything is sent once at most, about one document. Two defaults of Kingdee's are turned off on purpose: a save that
deletes the entry rows it was not sent, and base data that is dropped without a word where its number is unknown. A
workflow is never passed by: IsVerifyProcInst stays what it is unless somebody says otherwise, and nobody does here.
Source: in-product WebAPI help on Save, Draft, Submit, Audit, Push and ExecuteOperation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.errors import for_an_operator
from kdsync.kingdee.outcome import DUPLICATE, Outcome, outcome_of, refused, targets_of

__all__ = ["DUPLICATE", "Operations", "Outcome", "write"]

SPELLINGS = ("ExecuteOperation", "ExcuteOperation")
"""The manual's and the official SDK's; a server may know only one of them."""
NO_SERVICE = frozenset({"null-reference", "http-404", "gateway-5001"})
"""Codes with which a server answers that does not know a service."""
ROW_KEYS = frozenset({"FEntryID", "FSeq"})
NUMERIC = re.compile(r"[1-9][0-9]{0,17}")
ANGLES = str.maketrans("<>", "＜＞")
"""What people write goes like this: Kingdee's request filter takes a `<` for an attack, and stops the whole request."""
MODEL = {"NeedReturnFields": [], "IsDeleteEntry": "false", "IsVerifyBaseDataField": "true", "IsAutoAdjustField": "true"}


class Operations:
    """What one user does with documents; keep one for each client, for it learns how operations are spelt.

    Every method answers what became of the document, a refusal included, and raises `EdgeError` where Kingdee could
    not be asked, turns the user away, has the document locked (TRANSIENT), or where the outcome is not known.
    """

    def __init__(self, client: KingdeeClient) -> None:
        self._client = client
        self._spelling: str | None = None

    def submit(self, form: str, doc_id: str) -> Outcome:
        """Submit a document; where the form has a workflow, it starts."""
        return self._one("Submit", _of(form, doc_id), doc_id)

    def audit(self, form: str, doc_id: str) -> Outcome:
        """Approve a document that is in no workflow."""
        return self._one("Audit", _of(form, doc_id), doc_id)

    def operate(self, form: str, name: str, doc_id: str) -> Outcome:
        """Carry out the operation whose number is `name`, such as `Cancel` or `BillClose`.

        Until the server's spelling of the service is known, what fails like a service that is not there is sent under
        its other name, too.
        """
        body = {**_of(form, doc_id), "opNumber": name}
        if self._spelling is not None:
            return self._one(self._spelling, body, doc_id)
        for spelling in SPELLINGS:
            try:
                outcome = self._one(spelling, body, doc_id)
            except EdgeError as error:
                if error.code not in NO_SERVICE or spelling is SPELLINGS[-1]:
                    raise
            else:
                self._spelling = spelling
                break
        return outcome

    def save(self, form: str, pk: str, doc_id: str, fields: Mapping[str, Any]) -> Outcome:
        """Write `fields`, and nothing else, into a document; `pk` is the key of its primary key.

        An entry is a list of rows, each with the FEntryID of the row that it changes; other rows stay as they are.
        """
        model = {pk: int(doc_id) if NUMERIC.fullmatch(doc_id) else doc_id, **self._model(fields)}
        data = {**MODEL, "NeedUpDateFields": list(dict.fromkeys(_named(fields))), "Model": model}
        return self._one("Save", {"formid": form, "data": data}, doc_id)

    def create(self, form: str, model: Mapping[str, Any], *, draft: bool) -> Outcome:
        """A new document; a draft is not checked, and may get no number.

        A number in the model is kept where the form lets numbers be given by hand: the outcome tells which it became.
        One that is taken is refused with the code `DUPLICATE`. Texts keep no `<`, see `ANGLES`.
        """
        data = {**MODEL, "NeedUpDateFields": [], "Model": _harmless(self._model(model))}
        return self._one("Draft" if draft else "Save", {"formid": form, "data": data}, "")

    def push(self, form: str, doc_id: str, options: Mapping[str, Any]) -> tuple[Outcome, ...]:
        """Make the next bills of this one; the outcomes are of the new bills, and last what was refused.

        `options` are the id of a `rule`, or else the form `to` which the default rule leads; keys of Kingdee's own
        (`TargetOrgId`) go through as they are. A bill that is pushed twice has two successors.
        """
        body = {"formid": form, "data": {"Ids": doc_id, **_rule(options)}}
        return self._asked("Push", body, doc_id, lambda answer: targets_of(answer, doc_id))

    def _one(self, service: str, body: Mapping[str, Any], doc_id: str) -> Outcome:
        (outcome,) = self._asked(service, body, doc_id, lambda answer: (outcome_of(answer, doc_id),))
        return outcome

    def _asked(
        self, service: str, body: Mapping[str, Any], doc_id: str, read: Callable[[Any], tuple[Outcome, ...]]
    ) -> tuple[Outcome, ...]:
        try:
            return read(write(self._client, service, body))
        except EdgeError as error:
            return (refused(error, doc_id),)

    def _model(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {key: _plain(value, self._client.settings.timezone) for key, value in fields.items()}


def write(client: KingdeeClient, service: str, body: Mapping[str, Any]) -> Any:
    """What Kingdee answers to a write. Where it had lost the session it did nothing, and is asked once more."""
    try:
        return client.call(service, body, read=False)
    except EdgeError as error:
        if error.kind is not FailureKind.SESSION_LOST:
            raise
    try:
        return client.call(service, body, read=False)
    except EdgeError as error:
        raise for_an_operator(error) if error.kind is FailureKind.SESSION_LOST else error from None


def _of(form: str, doc_id: str) -> dict[str, Any]:
    """`Ids` is a text; Numbers would be a list."""
    return {"formid": form, "data": {"Ids": doc_id}}


def _rule(options: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {key: value for key, value in options.items() if key not in ("rule", "to")}
    if options.get("rule"):
        wanted["RuleId"] = str(options["rule"])
    else:
        wanted["IsEnableDefaultRule"] = "true"
    return {**wanted, "TargetFormId": str(options["to"])} if options.get("to") else wanted


def _named(fields: Mapping[str, Any]) -> Iterator[str]:
    """The keys of NeedUpDateFields: an entry's own and those of its rows too, or the rows are dropped silently."""
    for key, value in fields.items():
        yield key
        for row in value if isinstance(value, list | tuple) else ():
            if isinstance(row, Mapping):
                yield from (name for name in row if name not in ROW_KEYS)


def _plain(value: Any, zone: ZoneInfo) -> Any:
    """A value as JSON has it: amounts as text with every digit, dates in the server's zone and without one."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        local = value.astimezone(zone) if value.tzinfo else value
        return local.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _plain(part, zone) for key, part in value.items()}
    return [_plain(part, zone) for part in value] if isinstance(value, list | tuple) else value


def _harmless(value: Any) -> Any:
    """JSON whose texts are not taken for an attack."""
    if isinstance(value, str):
        return value.translate(ANGLES)
    if isinstance(value, dict):
        return {key: _harmless(part) for key, part in value.items()}
    return [_harmless(part) for part in value] if isinstance(value, list) else value
