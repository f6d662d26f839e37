"""The demo's company: who works there, what it buys and from whom, and what was in Kingdee before anybody looked.

People and roles are those of the shipped `config/directory.yaml`; two of them it does not name, so that they are found
by phone number and by job number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from kdsync.demo.script import Filed, Paper
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.kingdee import SimulatedKingdee


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a Kingdee account (none: only in DingTalk) and a phone."""

    account: str
    userid: str
    name: str
    mobile: str | None = None
    job_number: str | None = None
    phone_in_kingdee: bool = True


PEOPLE = (
    Person("zhangsan", "user1", "张三", "13800000001", "A001"),
    Person("lisi", "user2", "李四", "13800000002", "A002"),
    Person("wangwu", "user3", "王五", "13800000003", "A003"),
    Person("zhaoliu", "user4", "赵六", "13800000004", "A004"),
    Person("chenqi", "user5", "陈七", "13800000005", "A005"),
    Person("nguyenan", "user6", "Nguyễn Văn An", "13800000006", "A006"),
    Person("sunli", "user7", "孙丽", "13800000007", "A007", phone_in_kingdee=False),
    Person("zhoujie", "user8", "周杰", "13800000008", "A008"),
    Person("", "ops1", "运维值班", "13800000009"),
)
USERIDS = {person.account: person.userid for person in PEOPLE if person.account}
MANAGER = "zhoujie"  # approves; no rule tells him anything
GROUP = "finance"  # of the shipped kdsync.yaml
GROUP_NAMES = {GROUP: "财务群"}


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of master data."""

    id: int
    number: str
    name: str

    @property
    def ref(self) -> dict[str, Any]:
        """The value of a field that points to it."""
        return {"id": self.id, "FNumber": self.number, "FName": self.name}


EAST, NORTH, SAIGON = (
    Item(200_001, "VEN00001", "华东五金有限公司"),
    Item(200_002, "VEN00002", "北方包装材料厂"),
    Item(200_003, "VEN00003", "Công ty Thép Sài Gòn"),
)
BOLTS, CARTONS, STEEL = (
    Item(300_001, "M000001", "M8 螺栓"),
    Item(300_002, "M000002", "五层纸箱"),
    Item(300_003, "M000003", "冷轧钢板"),
)
TRAVEL, MEALS, TRAINING = Item(1, "FY001", "差旅费"), Item(2, "FY002", "招待费"), Item(3, "FY003", "培训费")
MAIN_STORE = Item(400_001, "CK001", "主仓库")


def expense(amount: str, cause: str, item: Item = TRAVEL) -> Paper:
    """An expense claim."""
    total = Decimal(amount)
    row = {"FExpID": item.ref, "FExpenseAmount": total, "FExpSubmitAmount": total}
    return Paper("ER_ExpReimbursement", {"FCausa": cause, "FExpAmountSum": total}, [row], total, cause)


def expense_request(amount: str, reason: str) -> Paper:
    """An expense request."""
    row = {"FExpenseItemID": TRAINING.ref, "FOrgAmount": Decimal(amount)}
    return Paper("ER_ExpenseRequest", {"FReason": reason}, [row], Decimal(amount), reason)


def payment_application(amount: str, supplier: Item) -> Paper:
    """An application to pay a supplier."""
    total = Decimal(amount)
    fields = {"FCONTACTUNIT": supplier.ref, "FPAYAMOUNTFOR_H": total, "FAPPLYAMOUNTFOR_H": total}
    return Paper("CN_PAYAPPLY", fields, [{"FAPPLYAMOUNTFOR": total}], total, supplier.name)


def payment(amount: str, supplier: Item) -> Paper:
    """A payment."""
    total = Decimal(amount)
    fields = {"FCONTACTUNIT": supplier.ref, "FPAYAMOUNTFOR": total, "FREALPAYAMOUNTFOR": total}
    return Paper("AP_PAYBILL", fields, [{"FREALPAYAMOUNTFOR_D": total}], total, supplier.name)


def payable(amount: str, supplier: Item) -> Paper:
    """What the company owes a supplier."""
    total = Decimal(amount)
    return Paper("AP_Payable", {"FSUPPLIERID": supplier.ref, "FALLAMOUNTFOR": total}, [], total, supplier.name)


def requisition(material: Item, quantity: int) -> Paper:
    """A request to buy something."""
    about = f"{material.name} × {quantity}"
    return Paper("PUR_Requisition", {}, [{"FMaterialId": material.ref, "FReqQty": Decimal(quantity)}], about=about)


def order(supplier: Item, material: Item, quantity: int, price: str) -> Paper:
    """A purchase order with one line."""
    total = quantity * Decimal(price)
    row = {
        "FMaterialId": material.ref,
        "FQty": Decimal(quantity),
        "FTaxPrice": Decimal(price),
        "FAllAmount": total,
        "FDeliveryDate": timedelta(days=14),
    }
    return Paper("PUR_PurchaseOrder", {"FSupplierId": supplier.ref, "FBillAllAmount": total}, [row], total)


def stock(material: Item, quantity: int) -> Paper:
    """How much of something lies in the store."""
    fields = {
        "FMaterialId": material.ref,
        "FStockId": MAIN_STORE.ref,
        "FQty": Decimal(quantity),
        "FBaseQty": Decimal(quantity),
    }
    return Paper("STK_Inventory", fields, about=f"{material.name}, {quantity} left")


BEFORE: tuple[tuple[str, Paper, str, str], ...] = (
    ("old claim", expense("320.00", "出差打车"), "C", "zhangsan"),
    ("waiting claim", expense("6400.00", "展会差旅"), "B", "sunli"),
    ("draft claim", expense("75.50", "办公用品"), "A", "nguyenan"),
    ("old request", expense_request("1500.00", "安全培训"), "C", "sunli"),
    ("old application", payment_application("21000.00", NORTH), "C", "lisi"),
    ("old payment", payment("45000.00", EAST), "C", "lisi"),
    ("waiting payment", payment("9000.00", NORTH), "B", "lisi"),
    ("owed", payable("38600.00", EAST), "C", "lisi"),
    ("owed longer", payable("12000.00", SAIGON), "C", "lisi"),
    ("old requisition", requisition(CARTONS, 500), "C", "chenqi"),
    ("running order", order(SAIGON, STEEL, 40, "480.00"), "C", "zhaoliu"),
    ("new order", order(NORTH, CARTONS, 1000, "3.20"), "A", "zhaoliu"),
)
"""What the first look must be silent about: name in the script, paper, status, creator."""

STOCK = (("bolts", BOLTS, 160), ("cartons", CARTONS, 420), ("steel", STEEL, 35))
"""Steel is below the limit already: that is no news."""


@dataclass(frozen=True, slots=True)
class Company:
    """What a script needs to know: Kingdee's ids of the accounts, names by account, names by userid or group, and the
    documents that are there."""

    ids: Mapping[str, int]
    names: Mapping[str, str]
    phones: Mapping[str, str]
    papers: Mapping[str, Filed]


def populate(kingdee: SimulatedKingdee, dingtalk: SimulatedDingTalk, today: date) -> Company:
    """Let the company move in."""
    ids = hire(PEOPLE, kingdee, dingtalk)
    _master_data(kingdee)
    papers = {name: file(kingdee, paper, ids[who], today, status) for name, paper, status, who in BEFORE}
    for name, material, quantity in STOCK:
        papers[name] = file(kingdee, stock(material, quantity), ids["chenqi"], today)
    names = {person.account: person.name for person in PEOPLE if person.account}
    return Company(ids, names, {person.userid: person.name for person in PEOPLE} | GROUP_NAMES, papers)


def hire(people: Iterable[Person], kingdee: SimulatedKingdee, dingtalk: SimulatedDingTalk) -> dict[str, int]:
    """Make people known to both systems; Kingdee's user ids by account."""
    ids = {}
    for person in people:
        dingtalk.add_user(person.userid, person.name, person.mobile, person.job_number)
        if person.account:
            mobile = person.mobile if person.phone_in_kingdee else None
            ids[person.account] = kingdee.add_user(person.account, person.name, mobile, person.job_number)
    return ids


def file(
    kingdee: SimulatedKingdee, paper: Paper, creator: int, today: date, status: str = "A", number: str | None = None
) -> Filed:
    """Create the document that a paper describes."""
    rows = [dated(row, today) for row in paper.rows]
    doc_id = kingdee.create(paper.form, number, status, creator, rows, **dated(paper.fields, today))
    bill_no = str(kingdee.document(paper.form, doc_id).get("FBillNo") or "")
    return Filed(paper.form, doc_id, bill_no, paper.amount, paper.about)


def dated(values: Mapping[str, Any], today: date) -> dict[str, Any]:
    """A span among the values is a date that far from today."""
    midnight = datetime.combine(today, time())
    return {key: midnight + value if isinstance(value, timedelta) else value for key, value in values.items()}


def _master_data(kingdee: SimulatedKingdee) -> None:
    for supplier in (EAST, NORTH, SAIGON):
        kingdee.create("BD_Supplier", supplier.number, "C", FSupplierId=supplier.id, FName=supplier.name)
    for material in (BOLTS, CARTONS, STEEL):
        kingdee.create("BD_MATERIAL", material.number, "C", FMATERIALID=material.id, FName=material.name)
