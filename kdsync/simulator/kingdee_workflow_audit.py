"""WorkflowAudit: a decision comes over the WebAPI, in the name of the one whom the task waits for.

What became of each bill stands in OperationResults, a text that holds JSON; ResponseStatus may be an empty text, and
its Errors are empty even where a bill was refused. The official page shows no more of the answer than that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from kdsync.simulator.kingdee_answers import MsgCode, Refusal, status
from kdsync.simulator.kingdee_forms import Form
from kdsync.simulator.kingdee_workflow import Person, Verdict, Workflow, not_the_receiver


def workflow_audit(workflow: Workflow, form: Form, data: Mapping[str, Any], ids: Sequence[int | str]) -> dict[str, Any]:
    """The answer. Where the workflow is `wordy`, a ResponseStatus says whether all went well. Raises `Refusal`."""
    verdict, person = _verdict(data), _person(data)
    opinion = str(data.get("Disposition") or "")
    refused = []
    for doc_id in ids:
        try:
            workflow.answer(form, doc_id, person, verdict, opinion)
        except Refusal as refusal:
            refused.append({"Id": doc_id, "ErrorCode": 500, "Message": refusal.message})
    results = orjson.dumps(refused).decode() if refused else "{}"
    return {
        "Result": {
            "ResponseStatus": _status(failed=bool(refused)) if workflow.wordy else "",
            "OperationResults": results,
        }
    }


def _status(*, failed: bool) -> dict[str, Any]:
    return {**status(), "IsSuccess": not failed}


def _verdict(data: Mapping[str, Any]) -> Verdict:
    try:
        return Verdict(int(data.get("ApprovalType") or 0))
    except (TypeError, ValueError):
        raise Refusal(MsgCode.PARAMETER, "参数ApprovalType不正确") from None


def _person(data: Mapping[str, Any]) -> Person:
    user, name = data.get("UserId"), data.get("UserName")
    if user and str(user).isdigit():
        return int(user)
    if name:
        return str(name)
    raise not_the_receiver()
