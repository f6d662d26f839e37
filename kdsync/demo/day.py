"""A day in the demo's company, as a script: claims, payments, orders and stock, what the shipped rules must tell, and
what people answer to it by the shipped actions.

The steps of one paper are a quarter of the day apart at least, so that even a short day leaves a look between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from kdsync.demo.company import (
    BOLTS,
    CARTONS,
    EAST,
    GROUP,
    MANAGER,
    NORTH,
    SAIGON,
    TRAINING,
    expense,
    expense_request,
    order,
    payment,
    payment_application,
    requisition,
    stock,
)
from kdsync.demo.script import Paper, Step, Tell, Verb
from kdsync.model import Transition

LENGTH = 100.0
"""The steps below are on a scale from 0 to this."""


def _tells(words: str, *people: str) -> tuple[Tell, ...]:
    return tuple(Tell(who, (words,)) for who in people)


def _stock(zh: str, vi: str) -> tuple[Tell, ...]:
    return tuple(
        Tell(who, (words, BOLTS.name), numbered=False) for who, words in (("user4", zh), ("user5", zh), ("user6", vi))
    )


def _step(
    at: float,
    actor: str,
    verb: Verb,
    paper: str,
    *tells: Tell,
    content: Paper | None = None,
    says: str = "",
) -> Step:
    return Step(at, actor, verb, paper, content, tells, says=says)


def _answer(
    at: float, actor: str, paper: str, says: str, reply: Tell, *tells: Tell, leaves: str, brings: bool = False
) -> Step:
    kind = Transition.APPROVED if brings else None
    return Step(at, actor, "answer", paper, None, (reply, *tells), says=says, brings=kind, leaves=leaves)


def _reply(who: str, words: str) -> Tell:
    return Tell(who, (words,), reply=True)


_WAITS = _tells("待审核", "user2", "user3")
_LARGE = _tells("大额报销", "user2", "user3")
_LOW, _OUT = _stock("库存不足", "Sắp hết hàng"), _stock("缺货", "缺货")
_ORDERED = _tells("新采购订单", "user4")
_SETTLED = Paper("AP_Payable", {"FWRITTENOFFSTATUS": "C"})
_MORE = Paper("PUR_PurchaseOrder", {}, [{"FQty": Decimal(55)}], about="40 → 55")

DAY: Sequence[Step] = (
    _step(0, "zhangsan", "create", "taxi", content=expense("860.50", "客户拜访打车")),
    _step(2, "lisi", "create", "big payment", content=payment("58000.00", EAST)),
    _step(4, "zhaoliu", "create", "bolts order", *_ORDERED, content=order(EAST, BOLTS, 2000, "0.85")),
    _step(6, "sunli", "create", "fair", content=expense("12800.00", "上海展会")),
    _step(8, "nguyenan", "create", "hanoi", content=expense("2300.00", "Công tác Hà Nội")),
    _step(10, "lisi", "create", "small payment", content=payment("1200.00", NORTH)),
    _step(12, "chenqi", "create", "cartons", content=requisition(CARTONS, 800)),
    _step(14, "lisi", "create", "application", content=payment_application("36000.00", SAIGON)),
    _step(16, "zhangsan", "create", "mistake", content=expense("99.00", "填错了", TRAINING)),
    _step(17, "zhangsan", "create", "training trip", content=expense("1980.00", "叉车培训差旅")),
    _step(18, "lisi", "create", "wrong payment", content=payment("7500.00", NORTH)),
    _step(20, "sunli", "create", "course", content=expense_request("4200.00", "叉车培训")),
    _step(21, "lisi", "create", "spare parts", content=payment("12600.00", EAST)),
    _step(23, "zhaoliu", "create", "large application", content=payment_application("88000.00", EAST)),
    _step(25, "zhangsan", "submit", "taxi", *_WAITS),
    _step(27, "lisi", "submit", "big payment"),
    _step(29, "zhaoliu", "submit", "bolts order"),
    _step(31, "sunli", "submit", "fair", *_LARGE),
    _step(33, "nguyenan", "submit", "hanoi", *_WAITS),
    _step(35, "lisi", "submit", "small payment"),
    _step(37, "chenqi", "submit", "cartons"),
    replace(_step(38, "zhangsan", "submit", "training trip", *_WAITS, *_tells("待您审批", "user2")), waits_for="lisi"),
    _step(39, "lisi", "submit", "application", *_tells("待审核", "user2", "user3")),
    _step(41, "lisi", "edit", "wrong payment", *_tells("被修改", GROUP), content=payment("8500.00", NORTH)),
    _step(42, "lisi", "submit", "spare parts"),
    _step(43, "zhangsan", "delete", "mistake"),
    _step(45, "chenqi", "write_back", "bolts", *_LOW, content=stock(BOLTS, 85), says="takes from"),
    _step(46, "zhaoliu", "submit", "large application", *_tells("待审核", "user2", "user3")),
    _step(48, "sunli", "submit", "course"),
    _step(50, MANAGER, "audit", "taxi", *_tells("已审核", "user1")),
    _step(52, MANAGER, "audit", "big payment", *_tells("请付款", "user3", "user2")),
    _step(
        54,
        MANAGER,
        "audit",
        "bolts order",
        *_tells("已审核", "user4", "user5"),
        *_tells("đã được duyệt", "user6"),
    ),
    _step(56, MANAGER, "reject", "fair", *_tells("被退回", "user7")),
    _step(58, MANAGER, "reject", "hanoi", *_tells("bị trả lại", "user6")),
    _step(60, MANAGER, "audit", "small payment", *_tells("已审核", "user3")),
    _step(62, MANAGER, "audit", "cartons", *_tells("请下单", "user4")),
    _answer(63, "chenqi", "spare parts", "确认付款 {}", _reply("user5", "您无权执行 确认付款"), leaves="B"),
    _step(64, "wangwu", "write_back", "owed", *_tells("已付清", "user2"), content=_SETTLED, says="settles"),
    _step(66, "lisi", "cancel", "wrong payment", *_tells("请勿付款", "user3")),
    _answer(67, "lisi", "large application", "同意付款 {}", _reply("user2", "还需要第二个人确认"), leaves="B"),
    _step(68, "zhaoliu", "write_back", "running order", *_tells("数量或交期有变", "user5", "user6"), content=_MORE),
    _answer(
        69,
        "lisi",
        "training trip",
        "同意 {} 发票齐全",
        _reply("user2", "同意 已完成"),
        *_tells("您的报销单", "user1"),
        leaves="C",
        brings=True,
    ),
    _step(71, "chenqi", "write_back", "bolts", *_OUT, content=stock(BOLTS, 0), says="takes from"),
    _step(73, MANAGER, "audit", "course", *_tells("费用申请", "user7")),
    _step(75, "sunli", "submit", "fair", *_LARGE),
    _step(80, "zhaoliu", "close", "bolts order", *_tells("已关闭", "user4")),
    _answer(
        84,
        "wangwu",
        "spare parts",
        "确认付款 {}",
        _reply("user3", "确认付款 已完成"),
        *_tells("请付款", "user3", "user2"),
        leaves="C",
        brings=True,
    ),
    _step(86, MANAGER, "unaudit", "small payment", *_tells("请勿付款", "user3")),
    _answer(
        88,
        "wangwu",
        "large application",
        "同意付款 {}",
        _reply("user3", "同意付款 已完成"),
        leaves="C",
        brings=True,
    ),
    _step(100, MANAGER, "audit", "fair", *_tells("已审核", "user7")),
)


def day(seconds: float) -> list[Step]:
    """The day, so long."""
    return [replace(step, at=step.at * seconds / LENGTH) for step in DAY]
