"""What Kingdee would leave out of a new document without a word is refused, as far as anybody can tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.errors import Symptom, failure
from kdsync.kingdee.keys import Keys

FORM = "ER_ExpReimbursement"
MODEL = {"FBillNo": "1", "FCausa": "x", "FSubHead": {"FPlace": "y"}, "FEntity": [{"FAmount": 1}, {"FNote": "z"}]}


class Told:
    """Stands for a client: answers with the keys of the head, those of FEntity, or an error."""

    def __init__(self, heads: str = "FBillNo FCAUSA", rows: str = "FAmount FNote") -> None:
        self.parts = {"FBillHead": heads, "FSubHead": "FPlace", "FEntity": rows}
        self.error: Exception | None = None
        self.asked = 0

    def call(self, service: str, payload: Mapping[str, Any], *, read: bool) -> Any:
        assert (service, payload, read) == ("QueryBusinessInfo", {"data": {"FormId": FORM}}, True)
        self.asked += 1
        if self.error:
            raise self.error
        listed = [{"Key": name, "Fields": [{"Key": key} for key in keys.split()]} for name, keys in self.parts.items()]
        return {"Result": {"NeedReturnData": {"Id": FORM, "Entrys": listed}}}

    @property
    def keys(self) -> Keys:
        return Keys(cast("KingdeeClient", self))


def test_a_document_whose_keys_are_all_there_passes_and_asks_once_for_its_form() -> None:
    told = Told()
    keys = told.keys
    keys.check(FORM, MODEL)
    keys.check(FORM, {**MODEL, "FEntity": []})
    assert told.asked == 1


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"FCause": "x"}, "no field or entry FCause [unknown-key] | correct the intake: did you mean FCAUSA?"),
        ({"FAmount": 1}, "FAmount [unknown-key] | correct the intake: it belongs to the entry FEntity"),
        ({"FEntity": [{"FNote": "a"}, {"FAmuont": 2}]}, "FEntity.FAmuont [unknown-key] | correct the intake: did you"),
        ({"FEntry": [{"FNote": "a"}]}, "FEntry [unknown-key] | correct the intake: did you mean FEntity?"),
        ({"F1": 1, "F2": 2}, "F1, F2 [unknown-key] | correct the intake: kdsync check --live"),
    ],
)
def test_a_key_that_would_be_lost_says_what_is_meant(model: dict[str, Any], said: str) -> None:
    with pytest.raises(EdgeError) as caught:
        Told().keys.check(FORM, model)
    assert caught.value.kind is FailureKind.CONFIGURATION
    assert said in f"{caught.value} | {caught.value.cure}"


def test_a_field_that_somebody_adds_to_the_form_is_known_from_then_on() -> None:
    told = Told()
    keys = told.keys
    keys.check(FORM, MODEL)
    told.parts["FBillHead"] += " F_KD_APPROVAL"
    keys.check(FORM, {**MODEL, "F_KD_APPROVAL": "1"})
    assert told.asked == 2


def test_what_nobody_tells_is_not_refused() -> None:
    told = Told()
    told.error = failure(Symptom("10", "没有数据"), read=True)
    told.keys.check(FORM, {"FWhatever": 1})
    told.error = EdgeError("kingdee", FailureKind.TRANSIENT, "timeout", "no answer")
    with pytest.raises(EdgeError, match="no answer"):
        told.keys.check(FORM, MODEL)
