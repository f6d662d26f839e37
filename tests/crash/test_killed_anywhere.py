"""The daemon is killed at every commit and every call, and keeps its promises all the same.

At each of them once, some of them in one story: `KDSYNC_EXPLORE=N` also kills at their other times, each in a story of
its own, and adds N seeds to the test that kills at random instants.
"""

from __future__ import annotations

import ast
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

import kdsync
from kdsync.kingdee.attachments import SPELLINGS as UPLOADS
from kdsync.kingdee.operations import SPELLINGS
from kdsync.simulator.kingdee_services import QUERIES, READS, WRITES
from tests.crash import chapters, intake_chapters, task_chapters
from tests.crash.chapters import CHAPTERS, Chapter
from tests.crash.house import House
from tests.crash.intake_chapters import INTAKE_CHAPTERS
from tests.crash.points import FILE, MIGRATION, PROBES, STREAM, Blow
from tests.crash.task_chapters import TASK_CHAPTERS

COMMITS: dict[str, tuple[tuple[Chapter, int], ...]] = {
    MIGRATION: ((chapters.refused_login, 1), (chapters.refused_login, 2)),
    "address.Address._commit": ((chapters.a_page_of_bills, 1), (chapters.a_page_of_bills, 3)),
    "address.Address._give_up": ((chapters.damaged, 1),),
    "address.Address._hold_back": ((chapters.nobody_to_ask, 1),),
    "address.Address._postpone": ((chapters.busy, 1),),
    "answering.Answering._at_once": ((chapters.carded, 1),),
    "bars.Bars._conclude": ((task_chapters.bars_changed, 1), (task_chapters.bars_wait, 1)),
    "bars.Bars._expire": ((task_chapters.bars_changed, 1),),
    "bars.Bars._lost": ((task_chapters.bars_changed, 1),),
    "bars.Bars._put_off": ((task_chapters.bars_changed, 1),),
    "bars.Bars._status": ((task_chapters.bars_wait, 1),),
    "bars.Bars._told": ((task_chapters.bars_changed, 1), (task_chapters.bars_wait, 1)),
    "bridges.CallLedger._write": ((chapters.first_look, 1),),
    "bridges.KnownAccount.remember": ((chapters.far_recipients, 1),),
    "bridges.RefusedLogins.record": ((chapters.refused_login, 1),),
    "carry.Carry._note": (
        (chapters.confirmed, 1),
        (chapters.confirmed, 2),
        (chapters.put_off, 1),
        (chapters.put_off, 3),
        (chapters.decided, 1),
        (chapters.no_state_shows_it, 1),
    ),
    "carry.Carry._verified": ((chapters.confirmed, 1), (chapters.confirmed, 2), (chapters.decided, 2)),
    "carry.Carry._write": (
        (chapters.confirmed, 1),
        (chapters.confirmed, 2),
        (chapters.put_off, 3),
        (chapters.decided, 1),
        (chapters.no_state_shows_it, 2),
    ),
    "cards.Cards._failed": ((chapters.carded, 1),),
    "cards.Cards._give_up": ((chapters.cards_given_up, 1), (chapters.cards_given_up, 2)),
    "cards.Cards._look": ((chapters.carded, 1),),
    "cards.Cards._update": ((chapters.carded, 1), (chapters.carded, 2)),
    "dispatch.Dispatch._accepted": ((chapters.a_page_of_bills, 1), (chapters.a_page_of_bills, 4)),
    "dispatch.Dispatch._again": ((chapters.busy, 1),),
    "dispatch.Dispatch._as_text": ((chapters.cards_refused, 1), (chapters.cards_refused, 2)),
    "dispatch.Dispatch._bury": ((chapters.refused, 1), (chapters.refused, 2)),
    "dispatch.Dispatch._failed": ((chapters.refused, 1),),
    "dispatch.Dispatch._wait": ((chapters.throttled, 1),),
    "dispatch.Dispatch.step": ((chapters.a_page_of_bills, 1), (chapters.a_page_of_bills, 5)),
    "earshot.Earshot._keep": ((chapters.confirmed, 1), (chapters.confirmed, 2)),
    "guard.Guard._answered": ((chapters.nobody_to_ask, 1),),
    "guard.Guard._keep": ((chapters.nobody_to_ask, 1), (chapters.nobody_to_ask, 2)),
    "inbound.Inbound._failed": ((chapters.put_off, 1), (chapters.put_off, 2)),
    "inbound.Inbound.resume": ((chapters.held, 1),),
    "inbound.Inbound._understood": ((chapters.confirmed, 1), (chapters.decided, 2)),
    "inbound.Inbound.take": ((chapters.confirmed, 1), (chapters.confirmed, 2), (chapters.said_by_others, 2)),
    "attaching.Attaching._attach": ((intake_chapters.taken_in, 1), (intake_chapters.taken_in, 2)),
    "attaching.Attaching._content": ((intake_chapters.lost_answers, 1),),
    "attaching.Attaching._steps": ((intake_chapters.taken_in, 1),),
    "attaching.Attaching._verified": ((intake_chapters.taken_in, 1), (intake_chapters.lost_answers, 1)),
    "filing.Filing._create": ((intake_chapters.taken_in, 1),),
    "filing.Filing._found": ((intake_chapters.taken_in, 1), (intake_chapters.lost_answers, 1)),
    "ingest.Ingest._commit": (
        (chapters.first_look, 1),
        (chapters.first_look, 3),
        (chapters.a_page_of_bills, 2),
        (chapters.after_an_outage, 1),
        (chapters.after_an_outage, 3),
        (chapters.storm, 2),
        (chapters.open_documents, 3),
        (chapters.open_documents, 4),
        (chapters.new_rules, 3),
    ),
    "intake.Intake._known": ((intake_chapters.finished_meanwhile, 1),),
    "intake.Intake._failed": ((intake_chapters.lost_answers, 1),),
    "intake.Intake._pass_over": ((intake_chapters.finished_meanwhile, 1),),
    "intake.Intake._refuse": ((intake_chapters.not_taken_in, 1),),
    "intake.Intake.take": ((intake_chapters.taken_in, 1), (intake_chapters.taken_in, 2)),
    "intake_words.IntakeWords._comment": ((intake_chapters.not_taken_in, 1), (intake_chapters.not_taken_in, 2)),
    "intake_words.IntakeWords._said": ((intake_chapters.not_taken_in, 1),),
    "intake_words.IntakeWords._unsaid": ((intake_chapters.not_taken_in, 1),),
    "intake_words.IntakeWords.done": ((intake_chapters.taken_in, 1), (intake_chapters.taken_in, 2)),
    "intake_words.IntakeWords.refused": ((intake_chapters.not_taken_in, 1),),
    "looks.Looks._mark": ((chapters.open_documents, 1),),
    "looks.Looks._save": ((chapters.first_look, 1), (chapters.new_rules, 2)),
    "missed.Missed.began": ((intake_chapters.taken_in, 1),),
    "missed.Missed._keep": ((intake_chapters.finished_meanwhile, 1),),
    "missed.Missed._look": ((intake_chapters.taken_in, 1),),
    "missing.Missing._over": ((chapters.rows_given_up, 1),),
    "missing.Missing._save_alarm": ((chapters.rows_vanish, 1), (chapters.rows_given_up, 2)),
    "notices.Notices.clear": ((chapters.rows_vanish, 1),),
    "notices.Notices.forget": ((chapters.future_date, 1),),
    "notices.Notices.mention": ((chapters.future_date, 1),),
    "notices.Notices.raise_": ((chapters.rows_vanish, 1),),
    "outages.Outages.forget_others": ((chapters.taken_out_of_use, 1),),
    "outsiders.Outsiders._note": ((chapters.said_by_others, 1),),
    "people.People.find": ((chapters.a_page_of_bills, 1),),
    "people.People.follow_directory": ((chapters.first_look, 1),),
    "people.People.refresh": ((chapters.a_page_of_bills, 1),),
    "receipts.Receipts._confirm": ((chapters.a_page_of_bills, 1), (chapters.a_page_of_bills, 2)),
    "replies.Replies.end": (
        (chapters.confirmed, 1),
        (chapters.confirmed, 2),
        (chapters.said_by_others, 1),
        (chapters.refused_by_kingdee, 1),
        (chapters.held, 1),
    ),
    "replies.Replies.hold": ((chapters.held, 1),),
    "settle.Settle.look": ((chapters.rows_vanish, 1),),
    "stays.Stays.begin": ((task_chapters.tasks_unread, 1),),
    "stays.Stays.doubt": ((task_chapters.tasks_unread, 1),),
    "stays.Stays.end": ((task_chapters.tasks_unread, 1),),
    "stays.Stays.sure": ((task_chapters.tasks_unread, 1),),
    "stays.Stays.tell": ((task_chapters.tasks_unread, 1), (task_chapters.tasks_unread, 2)),
    "tasks.TaskWatch._keep": ((chapters.decided, 1), (chapters.decided, 2)),
    "tasks.TaskWatch._note_gone": ((chapters.decided, 1),),
    "tasks.TaskWatch._take": ((chapters.decided, 1),),
    "timekeeping.Timekeeper._set": ((chapters.wrong_clock, 1),),
    "tries.Tries.failed": ((intake_chapters.lost_answers, 1),),
    "tries.Tries.intend": (
        (intake_chapters.taken_in, 1),
        (intake_chapters.taken_in, 2),
        (intake_chapters.taken_in, 3),
        (intake_chapters.lost_answers, 1),
    ),
    "upkeep.Upkeep._heartbeat": ((chapters.first_look, 1),),
    "watch.prepare": ((chapters.first_look, 1), (chapters.new_rules, 2)),
    "whole_look.whole_look": ((chapters.refused_by_kingdee, 1),),
    "wiring.Wired._open_store": ((chapters.first_look, 1),),
    "wiring.Wired._wake": ((chapters.nobody_to_ask, 1),),
}
"""Every transaction of the daemon, and at which of its times in which chapters it is killed there; always the first."""

CALLS: dict[str, tuple[tuple[Chapter, int], ...]] = {
    PROBES[0]: ((chapters.first_look, 1),),
    PROBES[1]: ((chapters.wrong_clock, 1),),
    FILE: ((intake_chapters.taken_in, 1), (intake_chapters.taken_in, 3)),
    STREAM[0]: ((chapters.confirmed, 1),),
    STREAM[1]: ((chapters.confirmed, 1), (chapters.decided, 2)),
    "kingdee AttachmentUpLoad": (
        (intake_chapters.taken_in, 1),
        (intake_chapters.taken_in, 3),
        (intake_chapters.lost_answers, 1),
    ),
    "kingdee Audit": ((chapters.confirmed, 1), (chapters.put_off, 1)),
    "kingdee ExcuteOperation": ((chapters.no_state_shows_it, 1),),
    "kingdee ExecuteBillQuery": (
        (chapters.first_look, 2),
        (chapters.a_page_of_bills, 4),
        (chapters.open_documents, 5),
        (chapters.rows_vanish, 6),
    ),
    "kingdee ExecuteOperation": ((chapters.no_state_shows_it, 1),),
    "kingdee LoginByAppSecret": ((chapters.far_recipients, 1),),
    "kingdee LoginBySign": ((chapters.first_look, 1),),
    "kingdee Push": ((chapters.no_state_shows_it, 1),),
    "kingdee QueryBusinessInfo": ((chapters.first_look, 1),),
    "kingdee Save": (
        (chapters.refused_by_kingdee, 1),
        (intake_chapters.taken_in, 1),
        (intake_chapters.taken_in, 2),
        (intake_chapters.lost_answers, 1),
    ),
    "kingdee Submit": ((chapters.confirmed, 1), (chapters.put_off, 3), (chapters.refused_by_kingdee, 1)),
    "kingdee ValidateUser": ((chapters.refused_login, 1),),
    "kingdee WorkflowAudit": ((chapters.decided, 1), (chapters.decided, 2), (chapters.asked_twice, 1)),
    "dingtalk robot/send": ((chapters.a_page_of_bills, 1), (chapters.a_page_of_bills, 2)),
    "dingtalk robot/sendBySession": ((chapters.said_by_others, 1),),
    "dingtalk topapi/message/corpconversation/asyncsend_v2": (
        (chapters.a_page_of_bills, 1),
        (chapters.a_page_of_bills, 3),
        (chapters.open_documents, 1),
        (chapters.busy, 2),
    ),
    "dingtalk topapi/message/corpconversation/status_bar/update": (
        (task_chapters.bars_changed, 1),
        (task_chapters.bars_changed, 2),
    ),
    "dingtalk topapi/v2/department/listsub": ((chapters.far_recipients, 1),),
    "dingtalk topapi/v2/user/get": ((chapters.a_page_of_bills, 1), (chapters.far_recipients, 1)),
    "dingtalk topapi/v2/user/getbymobile": ((chapters.a_page_of_bills, 1),),
    "dingtalk topapi/v2/user/list": ((chapters.far_recipients, 1),),
    "dingtalk v1.0/card/instances": ((chapters.carded, 1), (chapters.carded, 2)),
    "dingtalk v1.0/card/instances/createAndDeliver": ((chapters.carded, 1), (chapters.carded, 2)),
    "dingtalk v1.0/gateway/connections/open": ((chapters.confirmed, 1),),
    "dingtalk v1.0/oauth2/accessToken": ((chapters.open_documents, 1), (chapters.busy, 2)),
    "dingtalk v1.0/workflow/processInstances": ((intake_chapters.taken_in, 1),),
    "dingtalk v1.0/workflow/processInstances/comments": (
        (intake_chapters.not_taken_in, 1),
        (intake_chapters.not_taken_in, 2),
    ),
    "dingtalk v1.0/workflow/processInstances/spaces/files/urls/download": ((intake_chapters.taken_in, 2),),
    "dingtalk v1.0/workflow/processes/instanceIds/query": ((intake_chapters.finished_meanwhile, 1),),
}
"""The same for calls."""

NOT_CALLED = {
    "kingdee Logout",  # the session of a person ends when nobody has answered for ten minutes
    "kingdee SwitchOrg",  # part of a login where kingdee.org is written; repeated with the next one
    "dingtalk topapi/message/corpconversation/getsendresult",  # only the doctor asks for it
    "dingtalk v1.0/workflow/forms/schemas/processCodes",  # only check --live and the doctor ask for it
    "kingdee Draft",  # like a Save, without its checks
    "kingdee AttachmentUpload",  # the other spelling of one that the simulated Kingdee has
}
POINTS = COMMITS | CALLS
ALL = (*CHAPTERS, *INTAKE_CHAPTERS, *TASK_CHAPTERS)
EXPLORE = int(os.environ.get("KDSYNC_EXPLORE", "0"))
TOGETHER = 6
NOT_REACHED = "timekeeping.Timekeeper._recall"  # what a look wrote down while the clock was set: a matter of chance
SOURCE = Path(kdsync.__file__).parent


def told(folder: Path, chapter: Chapter, *blows: tuple[Blow, ...], lives: Sequence[float] = ()) -> House:
    """The house in which a chapter was told from beginning to end, with what has not struck yet."""
    folder.mkdir()
    house = House(folder)
    house.blows, house.lives = list(blows), list(lives)
    with closing(house):
        chapter(house)
        house.until(lambda: house.deaths or not house.blows)
        house.finish()
    assert {line.split(" ", 2)[2] for line in house.points()} <= {*POINTS, NOT_REACHED}
    return house


def in_turn() -> Iterator[Any]:
    """Chapters, each with some of the points to which it leads: what they share is told once for them all."""
    groups: defaultdict[tuple[Chapter, int], list[str]] = defaultdict(list)
    for point, places in POINTS.items():
        for place in places if EXPLORE else places[:1]:
            groups[place].append(point)
    for (chapter, nth), points in groups.items():
        together = 1 if EXPLORE else TOGETHER
        for first in range(0, len(points), together):
            yield pytest.param(chapter, points[first : first + together], nth, id=f"{chapter.__name__}-{nth}-{first}")


@pytest.mark.parametrize(("chapter", "points", "nth"), list(in_turn()))
def test_killed_before_and_after(tmp_path: Path, chapter: Chapter, points: list[str], nth: int) -> None:
    """Who died at one point may have no reason to come to another: the chapter is told until all have struck."""
    before, after = [Blow(point, "before", nth) for point in points], [Blow(point, "after") for point in points]
    blows = [(*before, *after)] if nth == 1 else [tuple(before), tuple(after)]
    while blows:
        blows = told(tmp_path / str(sum(map(len, blows))), chapter, *blows).blows


TOLD_ABOVE = {chapter for places in POINTS.values() for chapter, _ in places[:1]}


@pytest.mark.parametrize("chapter", [one for one in ALL if EXPLORE or one not in TOLD_ABOVE])
def test_left_in_peace(tmp_path: Path, chapter: Chapter) -> None:
    told(tmp_path / "house", chapter)


def test_each_commit_is_a_point_of_its_own() -> None:
    found = sorted(functions_that(is_commit))
    assert [one for one in found if one != "database.Database.write"] == sorted({*COMMITS, NOT_REACHED})


def test_no_service_is_called_that_is_no_point() -> None:
    assert set(services()) == set(CALLS) - {*PROBES, FILE, *STREAM} | NOT_CALLED


def test_nothing_leaves_the_process_but_through_a_point() -> None:
    """Besides there is what systemd is told, and SQLite, which has a `connect` too."""
    surrounded = {"transport.Transport._send", "line.Door._connect", "line.Line.send"}
    through_these = {"stream.StreamClient._hear", "stream.StreamClient._of_system"}
    sqlite = {"database.Database.read", "database.Database.write", "codes.peek", "seen.Seen.__init__"}
    found = set(functions_that(is_sending, "doctor"))
    assert found == {*surrounded, *through_these, *sqlite, "daemon.notify"}


SEEDS = 4 + EXPLORE


@pytest.mark.parametrize("seed", range(SEEDS))
def test_killed_at_random_instants(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    lives = [random.uniform(0.02, 0.5) for _ in range(random.randint(2, 5))]
    told(tmp_path / "house", random.choice(ALL), lives=lives)


def functions_that(do: Callable[[ast.AST], bool], *but: str) -> Iterator[str]:
    """`module.Class.function` of the functions of the daemon in which something stands, each once for each time."""
    for path in sorted(SOURCE.rglob("*.py")):
        if not {"simulator", "demo", "migrations", "cli", *but} & set(path.relative_to(SOURCE).parts):
            yield from _within(parsed(path), path.stem, do)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _within(node: ast.AST, name: str, do: Callable[[ast.AST], bool]) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            yield from _within(child, f"{name}.{child.name}", do)
        else:
            yield from (name for _ in range(do(child)))
            yield from _within(child, name, do)


def is_commit(node: ast.AST) -> bool:
    """`db.write()`, or a transaction that somebody opens or ends without it."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.args:
        return False
    return node.func.attr in ("write", "begin", "commit")


def is_sending(node: ast.AST) -> bool:
    """A call of what libraries that speak to others name so."""
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in ("send", "sendto", "sendall", "connect", "create_connection", "urlopen", "urlretrieve", "Popen")


def services() -> Iterator[str]:
    """What is called at Kingdee and DingTalk, as the source spells it."""
    for path in sorted((SOURCE / "dingtalk").glob("*.py")):
        for name in re.findall(r'"((?:topapi|v1\.0|robot)/[\w./]+)"', path.read_text()):
            yield f"dingtalk {name}"
    for path in sorted((SOURCE / "kingdee").glob("*.py")):
        for name in re.findall(
            r'(?:\.call\(|\.ask\(|AUTH \+ |SERVICE \+ |_one\(|_asked\(|write\(self._client, )"(\w+)"', path.read_text()
        ):
            yield f"kingdee {name}"
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Constant) and node.value in QUERIES | READS | WRITES:
                yield f"kingdee {node.value}"
    yield from (f"kingdee {name}" for name in (*SPELLINGS, *UPLOADS))
