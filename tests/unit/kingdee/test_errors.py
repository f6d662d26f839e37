"""The table of failures: every row is reached, and texts win over numbers that lie."""

from __future__ import annotations

import re

import pytest

from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.errors import MOST_WORDS, Symptom, answered, failure, for_an_operator
from kdsync.kingdee.traps import TEXTS, TRAPS


@pytest.mark.parametrize(
    ("text", "code", "kind"),
    [
        ("“u”使用业务单据：“销售订单”业务操作-“[No-修改]”冲突，请稍候再使用。", "edit-lock", FailureKind.TRANSIENT),
        ("单据已被锁定", "edit-lock", FailureKind.TRANSIENT),
        ("单据已关联工作流实例，不能直接审核", "in-workflow", FailureKind.REFUSED),
        ("没有任务处理权限", "not-assignee", FailureKind.REFUSED),
        ("当前用户不是待办任务的处理人", "not-assignee", FailureKind.REFUSED),
        ("单据编号为P1的付款单，只有暂存、创建和重新审核的数据才允许提交", "already-submitted", FailureKind.REFUSED),
        ("单据尚未提交，请先提交单据", "not-submitted", FailureKind.REFUSED),
        ("单据未提交", "not-submitted", FailureKind.REFUSED),
        ("单据已经审核", "already-approved", FailureKind.REFUSED),
        ("单据已审核，不允许修改", "approved", FailureKind.REFUSED),
        ("字段往来单位是必填项", "required", FailureKind.REFUSED),
        ("编码P1违反唯一性约束", "duplicate", FailureKind.REFUSED),
        ("标识为“XX_NO”的业务对象不存在，或者被删除", "unknown-form", FailureKind.REFUSED),
        ("GetRealExpress error: x", "bad-filter", FailureKind.REFUSED),
        ("您没有付款单的查看权限", "permission", FailureKind.CONFIGURATION),
        ("已超过许可数", "licence", FailureKind.CONFIGURATION),
        ("会话信息已丢失，请重新登录", "session", FailureKind.SESSION_LOST),
        ("用户“张三”正在使用该单据，单据已被锁定", "edit-lock", FailureKind.TRANSIENT),
        ("事务(进程 ID 63)与另一个进程被死锁在锁资源上，并且已被选作死锁牺牲品。", "deadlock", FailureKind.TRANSIENT),
        ("was deadlocked on lock resources with another process", "deadlock", FailureKind.TRANSIENT),
        ("Timeout expired. The timeout period elapsed", "database-timeout", FailureKind.UNKNOWN_OUTCOME),
        ("执行超时已过期。完成操作之前已超时或服务器未响应。", "database-timeout", FailureKind.UNKNOWN_OUTCOME),
        ("字段“电子签名”是必填项", "required", FailureKind.REFUSED),
        ("字段“许可证号”是必填项", "required", FailureKind.REFUSED),
    ],
)
@pytest.mark.parametrize("msgcode", ["0", "4"])
def test_the_text_tells_what_the_number_does_not(text: str, code: str, kind: FailureKind, msgcode: str) -> None:
    error = failure(Symptom(text=text, msgcode=msgcode), read=False)
    assert (error.code, error.kind) == (code, kind)


@pytest.mark.parametrize(
    "text",
    [
        "银行账号已被锁定，不能付款",
        "供应商的经营许可证已过期",
        "The supplier's business license has expired",
        "费用项目“IDC数据中心租赁”预算不足",
        "合同签名不符",
        "The signature is missing",
        "附件密码错误",
    ],
)
def test_a_document_is_not_refused_for_what_only_a_login_is_refused_for(text: str) -> None:
    error = failure(Symptom(text=text, msgcode="11"), read=False)
    assert (error.code, error.kind) == ("11", FailureKind.REFUSED)
    assert failure(Symptom(text=text, msgcode="0"), read=False).code == "unmapped-msgcode-0"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("用户已被锁定，请联系管理员", "account-locked"),
        ("签名错误", "sign"),
        ("数据中心不存在", "account-set"),
        ("License exceeded", "licence"),
        ("用户名或密码错误", "login-0"),
        ("Incorrect user name or password", "login-0"),
    ],
)
def test_what_a_login_is_refused_for(text: str, code: str) -> None:
    error = failure(Symptom(text=text, login="-1"))
    assert (error.code, error.kind) == (code, FailureKind.CONFIGURATION)


@pytest.mark.parametrize(
    ("msgcode", "kind"),
    [
        ("1", FailureKind.SESSION_LOST),
        ("2", FailureKind.CONFIGURATION),
        ("3", FailureKind.REFUSED),
        ("5", FailureKind.REFUSED),
        ("6", FailureKind.TRANSIENT),
        ("7", FailureKind.CONFIGURATION),
        ("8", FailureKind.REFUSED),
        ("9", FailureKind.REFUSED),
        ("10", FailureKind.REFUSED),
        ("11", FailureKind.REFUSED),
        ("12", FailureKind.REFUSED),
        ("13", FailureKind.TRANSIENT),
        ("14", FailureKind.RATE_LIMITED),
        ("15", FailureKind.CONFIGURATION),
    ],
)
def test_the_numbers_of_the_help_pages(msgcode: str, kind: FailureKind) -> None:
    error = failure(Symptom(text="something", msgcode=msgcode))
    assert (error.kind, error.code) == (kind, msgcode)


def test_what_a_database_did_that_took_too_long_is_not_known_whatever_the_number() -> None:
    symptom = Symptom(text="数据库操作失败：执行超时已过期。", msgcode="6")
    assert failure(symptom, read=False).kind is FailureKind.UNKNOWN_OUTCOME
    assert failure(symptom).kind is FailureKind.TRANSIENT


def test_a_lost_session_is_told_by_its_number_whatever_the_text_says() -> None:
    assert failure(Symptom(text="没有权限", msgcode="1")).kind is FailureKind.SESSION_LOST


@pytest.mark.parametrize("symptom", [Symptom(text="?", msgcode="99"), Symptom(msgcode="0"), Symptom(login="-9")])
def test_what_nobody_described_is_tried_again_and_marked(symptom: Symptom) -> None:
    error = failure(symptom)
    assert error.kind is FailureKind.TRANSIENT
    assert error.code.startswith("unmapped-")


@pytest.mark.parametrize("fault", ["timeout", "cut", "html", "empty", "not-json", "too-large", "tls", "shape"])
def test_a_write_that_was_cut_off_has_an_unknown_outcome(fault: str) -> None:
    assert failure(Symptom(fault=fault), read=False).kind is FailureKind.UNKNOWN_OUTCOME
    assert failure(Symptom(fault=fault), read=True).kind is not FailureKind.UNKNOWN_OUTCOME


@pytest.mark.parametrize("fault", ["dns", "refused", "connect-timeout", "proxy"])
def test_a_write_that_was_never_sent_may_be_sent_again(fault: str) -> None:
    assert failure(Symptom(fault=fault), read=False).kind is FailureKind.TRANSIENT


def test_long_texts_are_clipped() -> None:
    assert len(failure(Symptom(text="x" * 10_000)).message) < MOST_WORDS + 100


def test_every_row_is_a_readable_pattern_with_words_for_an_operator() -> None:
    for trap in TRAPS:
        re.compile(trap.match)
        assert trap.message.isascii()
        assert hasattr(Symptom(), trap.on)
        assert trap.code or trap.on not in TEXTS, "a text is too long to be a code"
    assert len({(trap.on, trap.match) for trap in TRAPS}) == len(TRAPS)


def test_who_said_no() -> None:
    assert answered(failure(Symptom(login="0")))
    assert answered(failure(Symptom(text="Fail to VerifyThirtyPassport", http="500")))
    assert not answered(failure(Symptom(fault="dns")))
    assert not answered(failure(Symptom(http="502")))
    assert not answered(failure(Symptom(http="599", fault="?")))


def test_a_session_that_is_lost_at_once_is_for_an_operator() -> None:
    error = for_an_operator(EdgeError("kingdee", FailureKind.SESSION_LOST, "1", "lost", cure="do this"))
    assert (error.kind, error.code, error.cure) == (FailureKind.CONFIGURATION, "1", "do this")
