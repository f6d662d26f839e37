"""The company that a soak works in: five forms, the rules about them, as many people as DingTalk's limits ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import yaml

from kdsync.demo.setting import connection
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.simulator.kingdee_forms import Form

BILL = (
    "FBillNo FDocumentStatus FCancelStatus FCloseStatus FCreatorId>SEC_User FCreateDate:datetime FModifierId>SEC_User "
    "FModifyDate:datetime FApproverId>SEC_User FApproveDate:datetime FCancelDate:datetime FCloseDate:datetime "
    "FPayerId>SEC_User FSum:amount FLevel:int FNote"
)
STOCK = "FCode FKeeperId>SEC_User FSum:amount FLevel:int"
BILLS = ("SOAK_Claim", "SOAK_Payment", "SOAK_Order", "SOAK_Payable")
PAYABLE, STORE = "SOAK_Payable", "SOAK_Stock"
FORMS = (*BILLS, STORE)

CREATOR, PAYER, BOARD, GROUP, GHOST = "creator", "field:FPayerId", "role:board", "group:finance", "user:ghost"
TELLS: Mapping[str, tuple[str, ...]] = {
    "created": (PAYER,),
    "submitted": (PAYER,),
    "approved": (CREATOR, PAYER),
    "rejected": (CREATOR,),
    "unapproved": (CREATOR,),
    "voided": (PAYER,),
    "closed": (CREATOR,),
    "deleted": (PAYER,),
    "changed": (PAYER,),
}
"""Whom the rule about each kind of event tells, where the document's level is 1 or more."""
SPECIAL: Mapping[int, str] = {7: GHOST, 8: GROUP, 9: BOARD}
"""Who is told of an approval besides, by level: somebody who does not exist, the group, the board."""
BOARD_SIZE = 3
GHOSTS = frozenset({GHOST.partition(":")[2]})
OPERATOR = "ops1"
OUTAGE = frozenset({"DingTalk 不可用", "DingTalk 已恢复"})
"""Titles of what operators are told in the first group, because work notifications are what is down."""
A_PERSON = 300  # messages to one person in a run; DingTalk shows 500 a day
POLL = {"interval": "1s", "sweep": "2s", "lookback": "30s", "reconcile": "1m"}
PLAN = 10_000_000  # calls a month


@dataclass(frozen=True, slots=True)
class Staff:
    """Kingdee's ids of everybody's account; the place in the list is the number in the userid."""

    accounts: tuple[int, ...]

    @staticmethod
    def userid(place: int) -> str:
        return f"p{place}"


def open_up(kingdee: SimulatedKingdee, dingtalk: SimulatedDingTalk, messages: float) -> Staff:
    """Install the forms and hire enough people for so many messages."""
    for form in BILLS:
        words = f"{BILL} FWRITTENOFFSTATUS" if form == PAYABLE else BILL
        kingdee.define_form(Form.parse(form, words, {"FEntity": "FQty:amount"} if form == "SOAK_Order" else None))
    kingdee.define_form(Form.parse(STORE, STOCK, number="", status="", approved="", approver=""))
    dingtalk.add_user(OPERATOR, "Ops")
    for member in range(BOARD_SIZE):
        dingtalk.add_user(f"board{member}", f"Board {member}")
    accounts = []
    for place in range(max(30, ceil(messages / A_PERSON))):
        mobile = f"138{place:08}"
        accounts.append(kingdee.add_user(f"kd{place}", f"Person {place}", mobile, f"J{place}"))
        dingtalk.add_user(Staff.userid(place), f"Person {place}", mobile, f"J{place}")
    return Staff(tuple(accounts))


def write(folder: Path, kingdee: SimulatedKingdee, dingtalk: SimulatedDingTalk) -> Path:
    """The configuration; returns kdsync.yaml."""
    reach = connection(kingdee, dingtalk)
    main: dict[str, Any] = {
        "kingdee": {**reach["kingdee"], "timeout": "3s"},
        "dingtalk": {**reach["dingtalk"], "monthly_calls": PLAN},
        "store": {"url": "sqlite:///kdsync.db"},
        "poll": POLL,
        "forms": {PAYABLE: {"open": "FWRITTENOFFSTATUS <> 'C'"}, STORE: {"mode": "full", "interval": "5s"}},
        "listen": "127.0.0.1:0",
        "rules": ["rules.yaml"],
        "directory": "directory.yaml",
        "fallback": [f"user:{OPERATOR}"],
    }
    directory = {"roles": {"board": [f"user:board{member}" for member in range(BOARD_SIZE)]}, "locales": {"p1": "vi"}}
    _dump(folder / "kdsync.yaml", main)
    _dump(folder / "directory.yaml", directory)
    write_rules(folder, 0)
    return folder / "kdsync.yaml"


def write_rules(folder: Path, turn: int) -> None:
    """The rules; every second turn has one more, which sends nothing but looks at a field the others do not."""
    rules = [_rule(form, kind, to) for form in FORMS for kind, to in TELLS.items() if _fits(form, kind)]
    rules += [
        {**_rule(form, "approved", (to,)), "id": f"{form}-{level}".lower(), "when": f"doc.FLevel == {level}"}
        for form in BILLS
        for level, to in SPECIAL.items()
    ]
    if turn % 2:
        note = {"when": "doc.FNote == 'x'", "mode": "shadow"}
        rules.append({**_rule("SOAK_Claim", "approved", (CREATOR,)), "id": "shadow", **note})
    _dump(folder / "rules.yaml", {"rules": rules})


def is_for_operators(who: str, title: str) -> bool:
    """Whether a message is a notice of kdsync's, and of no rule."""
    return who == OPERATOR or (who == GROUP.partition(":")[2] and title in OUTAGE)


def _fits(form: str, kind: str) -> bool:
    return form != STORE or kind in ("created", "changed", "deleted")


def _rule(form: str, kind: str, to: tuple[str, ...]) -> dict[str, Any]:
    number = "FCode" if form == STORE else "FBillNo"
    return {
        "id": f"{form}-{kind}".lower(),
        "form": form,
        "on": {"changed": ["FSum"]} if kind == "changed" else kind,
        "when": "doc.FLevel >= 1",
        "storm": "off",  # after an outage there is one, and each of its messages is waited for
        "to": ["field:FKeeperId" if form == STORE else one for one in to],
        "message": {"title": f"{{{{ doc.{number} }}}} {kind}", "body": "{{ doc.FSum | money }}"},
    }


def _dump(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
