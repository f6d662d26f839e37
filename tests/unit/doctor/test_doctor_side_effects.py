"""The doctor changes nothing, tells nobody, and never locks an account, however often it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdsync.bridges import RefusedLogins
from kdsync.cli.live import kingdee_fields
from kdsync.clock import Clock
from kdsync.dingtalk.client import DingTalkClient
from kdsync.dingtalk.work import WorkNotices
from kdsync.doctor import dingtalk as of_dingtalk
from kdsync.doctor import examine
from kdsync.doctor import kingdee as of_kingdee
from kdsync.doctor.finding import FAILED, OK, SKIPPED, WARNING, Finding
from kdsync.doctor.service import ourselves
from kdsync.errors import EdgeError
from kdsync.services.upkeep import month_of
from kdsync.settings.schema import GroupRobot
from kdsync.simulator.dingtalk import SimulatedDingTalk
from kdsync.simulator.kingdee import SimulatedKingdee
from kdsync.store import ledger, outbox
from kdsync.store.database import Database
from kdsync.store.outbox import Letter
from kdsync.store.sealing import Seal
from tests.unit.doctor.conftest import RULE, SECRETS, Configure

WRONG = {"auth": "password", "password": {"env": "KD_WRONG"}}


def login_of(findings: list[Finding]) -> Finding:
    return next(one for one in findings if one.what == "kingdee login")


@pytest.mark.parametrize("with_store", [True, False])
def test_a_wrong_password_never_locks_the_account(
    with_store: bool, kingdee: SimulatedKingdee, configure: Configure, clock: Clock, tmp_path: Path
) -> None:
    loaded = configure(kd=WRONG)
    database = Database(loaded.settings.main.store.url) if with_store else None
    if database:
        database.migrate()
    before = kingdee.logins
    told = [login_of(list(of_kingdee.examine(loaded, clock, database))) for _ in range(7)]
    assert {one.result for one in told} == {FAILED}
    assert kingdee.logins - before == 2
    assert "no login is tried now" in told[-1].detail
    if database:
        assert RefusedLogins(database).failures(clock.now().replace(year=2000)) == 2  # which the daemon counts too
        database.close()
    else:
        assert list((tmp_path / "home" / ".cache" / "kdsync").iterdir())


def test_check_live_counts_wrong_passwords_with_the_doctor(
    kingdee: SimulatedKingdee, configure: Configure, clock: Clock
) -> None:
    loaded = configure(kd=WRONG)
    before = kingdee.logins
    list(of_kingdee.examine(loaded, clock, None))
    for _ in range(5):
        with pytest.raises(EdgeError, match="password"):
            list(kingdee_fields(loaded))
    assert kingdee.logins - before == 2


def test_a_note_of_refused_passwords_that_was_cut_off_stops_nobody(
    configure: Configure, clock: Clock, tmp_path: Path
) -> None:
    list(of_kingdee.examine(configure(kd=WRONG), clock, None))
    (note,) = (tmp_path / "home" / ".cache" / "kdsync").iterdir()
    note.write_text('["2026-11-2')
    right = configure(kd={"auth": "password", "password": {"env": "KD_PASSWORD"}})
    assert login_of(list(of_kingdee.examine(right, clock, None))).result == OK


def test_a_password_is_not_tried_where_its_refusal_cannot_be_noted(
    kingdee: SimulatedKingdee, configure: Configure, clock: Clock, tmp_path: Path
) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    before = kingdee.logins
    found = login_of(list(of_kingdee.examine(configure(kd=WRONG), clock, None)))
    assert found.result == SKIPPED
    (finding,) = kingdee_fields(configure(kd=WRONG))
    assert (finding.about, finding.misconfigured) == ("kingdee", False)
    assert kingdee.logins == before


def test_a_right_password_is_tried_again_after_it_was_corrected(configure: Configure, clock: Clock) -> None:
    list(of_kingdee.examine(configure(kd=WRONG), clock, None))
    right = configure(kd={"auth": "password", "password": {"env": "KD_PASSWORD"}})
    assert login_of(list(of_kingdee.examine(right, clock, None))).result == OK


def test_the_account_set_is_compared_and_not_learned(
    kingdee: SimulatedKingdee, configure: Configure, clock: Clock
) -> None:
    loaded = configure()
    database = Database(loaded.settings.main.store.url)
    database.migrate()
    assert login_of(list(of_kingdee.examine(loaded, clock, database))).result == OK
    with database.read() as tx:
        assert not ledger.facts_like(tx, ledger.ACCOUNT)
    with database.write() as tx:
        account = ledger.ACCOUNT + kingdee.credentials.acct_id
        ledger.put_fact(tx, account, '["someone-elses", "another"]', clock.now())
    found = login_of(list(of_kingdee.examine(loaded, clock, database)))
    assert "another account set answers" in found.detail
    assert "kdsync accept account" in found.cure
    database.close()


def test_nothing_is_written_and_nobody_is_told(
    kingdee: SimulatedKingdee, dingtalk: SimulatedDingTalk, configure: Configure, clock: Clock
) -> None:
    kingdee.requests.clear()
    loaded = configure()
    findings = list(examine(loaded, clock, ourselves()))
    assert not [one for one in findings if one.result in (FAILED, WARNING)]
    reading = {"LoginBySign", "QueryBusinessInfo", "ExecuteBillQuery"}
    assert {request.op for request in kingdee.requests} <= reading
    assert not dingtalk.seen("user1")
    assert not Path(loaded.settings.base, "kdsync.db").exists()


def test_the_one_metered_call_is_counted(configure: Configure, clock: Clock) -> None:
    loaded = configure()
    database = Database(loaded.settings.main.store.url)
    database.migrate()
    list(of_dingtalk.examine(loaded, clock, database))
    with database.read() as tx:
        assert ledger.metered_calls(tx, month_of(clock.now())) == 1
    database.close()


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {one.what: one for one in findings}


def test_a_wrong_agent_id(configure: Configure, clock: Clock) -> None:
    found = by_name(list(of_dingtalk.examine(configure(dt={"agent_id": 78}), clock, None)))["dingtalk work notices"]
    assert found.result == FAILED
    assert "dingtalk.agent_id" in found.cure


@pytest.mark.parametrize(
    ("fault", "result", "detail"),
    [
        ("", OK, "allowed, agent id right"),
        ("protected", WARNING, "the last message did not reach user1: the person is protected from messages"),
    ],
)
def test_whom_the_last_message_did_not_reach_though_dingtalk_took_it(
    configure: Configure, clock: Clock, fault: str, result: str, detail: str
) -> None:
    with SimulatedDingTalk(clock, client_id="ding", client_secret=SECRETS["DT_SECRET"], task_seconds=0) as dingtalk:
        dingtalk.add_user("user1", "Person 1", "13800000001")
        loaded = configure(dt={"api_url": dingtalk.url, "oapi_url": dingtalk.url, "agent_id": 123456789})
        database = Database(loaded.settings.main.store.url)
        database.migrate()
        client = DingTalkClient(loaded.settings.main.dingtalk, clock)
        if fault:
            dingtalk.fault(fault)
        task = WorkNotices(client).send_work(["user1"], (), b'{"msgtype":"text","text":{"content":"x"}}').task_id
        client.close()
        with database.write() as tx:
            outbox.add(tx, Seal(), [Letter("1", "n", outbox.WORK, "user1", b"{}", "c", 1, clock.now())])
            outbox.accept(tx, ["1"], clock.now(), task)
        found = by_name(list(of_dingtalk.examine(loaded, clock, database)))["dingtalk work notices"]
        database.close()
    assert (found.result, found.detail) == (result, detail)


@pytest.mark.parametrize(
    ("scope", "what"),
    [
        ("qyapi_get_member", "dingtalk contacts"),
        ("qyapi_get_member_by_mobile", "dingtalk mobile numbers"),
        ("qyapi_get_department_list", "dingtalk departments"),
        ("qyapi_get_department_member", "dingtalk members"),
    ],
)
def test_a_permission_that_this_configuration_needs(
    dingtalk: SimulatedDingTalk, configure: Configure, clock: Clock, scope: str, what: str
) -> None:
    loaded = configure({**RULE, "to": ["dept:1", "creator"]})
    dingtalk.revoke(scope)
    try:
        found = by_name(list(of_dingtalk.examine(loaded, clock, None)))[what]
    finally:
        dingtalk.grant(scope)
    assert found.result == FAILED
    assert scope in found.detail
    assert "Permission management" in found.cure


def test_the_permission_for_cards_is_tried_where_there_is_a_template(
    dingtalk: SimulatedDingTalk, configure: Configure, clock: Clock
) -> None:
    confirm = {"id": "confirm", "title": "OK", "phrases": ["OK"], "form": "AP_PAYBILL", "allow": ["user:user1"]}
    loaded = configure(dt={"card_template": "a.schema"}, actions=[{**confirm, "do": ["audit"]}])
    assert by_name(list(of_dingtalk.examine(loaded, clock, None)))["dingtalk cards"].result == OK
    dingtalk.revoke("Card.Instance.Write")
    try:
        found = by_name(list(of_dingtalk.examine(loaded, clock, None)))["dingtalk cards"]
    finally:
        dingtalk.grant("Card.Instance.Write")
    assert found.result == FAILED
    assert "Card.Instance.Write" in found.detail
    assert "dingtalk cards" not in by_name(list(of_dingtalk.examine(configure(), clock, None)))
    assert not dingtalk.seen("user1")


def test_a_permission_that_nobody_needs_is_not_asked_for(configure: Configure, clock: Clock) -> None:
    loaded = configure({**RULE, "to": ["user:user1"]})
    names = by_name(list(of_dingtalk.examine(loaded, clock, None)))
    assert not {"dingtalk mobile numbers", "dingtalk departments", "dingtalk members"} & set(names)


def test_departments_and_people_outside_the_visible_range(
    dingtalk: SimulatedDingTalk, configure: Configure, clock: Clock
) -> None:
    dingtalk.add_department(4, "Hidden", in_scope=False)
    loaded = configure({**RULE, "to": ["dept:4", "user:stranger"]})
    found = by_name(list(of_dingtalk.examine(loaded, clock, None)))
    assert found["dingtalk dept:4"].result == FAILED
    assert "stranger (rule approved)" in found["dingtalk people"].detail
    assert "可见范围" in found["dingtalk people"].cure


def test_a_groups_token_is_looked_at() -> None:
    whole = "https://oapi.dingtalk.com/robot/send?access_token=" + "a" * 64
    for token, secret, result in ((whole, "SECx", FAILED), ("short", "SECx", WARNING), ("a" * 64, "SECx", OK)):
        group = of_dingtalk._group("group", _robot(token, secret))
        assert group.result == result
    assert of_dingtalk._group("group", _robot("a" * 64, "no sec")).result == WARNING


def _robot(token: str, secret: str) -> GroupRobot:
    return GroupRobot.model_validate({"token": token, "secret": secret}, context={"secrets": str})


def test_a_form_and_a_field_that_are_not_there(kingdee: SimulatedKingdee, configure: Configure, clock: Clock) -> None:
    loaded = configure({**RULE, "when": "doc.F_NOPE == 1"}, {**RULE, "id": "gone", "form": "NO_SUCH_FORM"})
    found = by_name(list(of_kingdee.examine(loaded, clock, None)))
    assert "used by approved" in found["kingdee AP_PAYBILL F_NOPE"].detail
    assert "form does not exist" in found["kingdee NO_SUCH_FORM"].detail
    kingdee.grant("AP_PAYBILL", allowed=False)
    try:
        lacking = by_name(list(of_kingdee.examine(loaded, clock, None)))["kingdee AP_PAYBILL"]
    finally:
        kingdee.grant("AP_PAYBILL", allowed=True)
    assert lacking.result == WARNING
    assert "查看权限" in lacking.cure


def test_people_without_mobile_numbers(kingdee: SimulatedKingdee, configure: Configure, clock: Clock) -> None:
    with SimulatedKingdee(clock, app_secret=kingdee.credentials.app_secret) as empty:
        empty.create("AP_PAYBILL", "OLD1", "C")
        empty.add_user("kd9", "Nobody's number", None)
        loaded = configure(kd={"url": empty.url})
        found = by_name(list(of_kingdee.examine(loaded, clock, None)))
    assert found["kingdee employees"].result == WARNING
    assert "directory.yaml" in found["kingdee employees"].cure


def test_a_dead_kingdee_skips_what_depends_on_it_and_nothing_else(configure: Configure, clock: Clock) -> None:
    loaded = configure(kd={"url": "http://127.0.0.1:9/K3Cloud/"})
    found = by_name(list(examine(loaded, clock, ourselves())))
    assert found["kingdee connection"].result == FAILED
    assert found["kingdee login"].result == SKIPPED
    assert found["dingtalk token"].result == OK


def test_clocks_that_differ(kingdee: SimulatedKingdee, configure: Configure, clock: Clock) -> None:
    kingdee.clock_skew = 300.0
    try:
        found = by_name(list(of_kingdee.examine(configure(), clock, None)))["kingdee clock"]
    finally:
        kingdee.clock_skew = 0.0
    assert found.result == WARNING
    assert "+300 s" in found.detail
    assert "NTP" in found.cure
