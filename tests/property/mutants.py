"""Whether the three machines would notice: single defects, each put into a copy of kdsync, and who finds it.

    python -m tests.property.mutants [part of a name …]

Each line of the answer names a defect and what found it: a machine within its budget in CI, else the unit tests of
services, store and core; or that it survived. A text that is not found exactly once fails: the list is to be mended.
With arguments only the defects are tried whose name or file contains one of them. All of them take twenty minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
TREE = ("kdsync", "tests/property", "tests/unit", "tests/conftest.py", "tests/new_store.py", "pyproject.toml", "config")
JUDGES = (
    ("machine A", ("tests/property/test_promises.py",)),
    ("machine B", ("tests/property/test_letters.py",)),
    ("machine C", ("tests/property/test_answers.py",)),
    ("unit tests", ("tests/unit/services", "tests/unit/store", "tests/unit/sync", "tests/unit/delivery")),
)
WAY_BACK = (
    "inbound",
    "carry",
    "permit",
    "replies",
    "endings",
    "inbox",
    "writes",
    "plan",
    "authorize",
    "parse",
    "clicks",
    "cards",
    "decisions",
)
PATIENCE = 300.0  # seconds for one judge


class Mutant(NamedTuple):
    """One defect: in this file of kdsync, this text becomes that one."""

    name: str
    file: str
    old: str
    new: str


MUTANTS = (
    # --- looks
    Mutant(
        "the cursor moves with the first page of several",
        "services/looks.py",
        "if page.last and newest != cursor.newest else None",
        "if newest != cursor.newest else None",
    ),
    Mutant(
        "the cursor follows dates from the future",
        "sync/cursor.py",
        "return min(max(cursor, seen), ceiling)",
        "return max(cursor, seen)",
    ),
    Mutant(
        "the cursor is moved to when the look ended",
        "services/looks.py",
        "began = began or self._local(page.server_now)\n            newest = self._newest(watch.layout",
        "began = self._local(page.server_now)\n            newest = self._newest(watch.layout",
    ),
    Mutant(
        "no lookback",
        "sync/cursor.py",
        "datetime.fromisoformat(cursor[:19]) - timedelta(seconds=lookback)",
        "datetime.fromisoformat(cursor[:19])",
    ),
    Mutant("only the first date is asked for", "sync/cursor.py", "for key in dates)", "for key in dates[:1])"),
    Mutant(
        "documents sent back are not open", "sync/cursor.py", "in ('Z','A','B','D',' ')\"", "in ('Z','A','B',' ')\""
    ),
    Mutant(
        "the form's own open filter is forgotten",
        "sync/cursor.py",
        "if alive else undecided",
        "if not alive else undecided",
    ),
    Mutant(
        "what differs among open documents is not read again",
        "services/looks.py",
        "self._reread(watch, again, matcher, report, is_open=True, ends=not left)",
        "self._reread(watch, again[1:], matcher, report, is_open=True, ends=not left)",
    ),
    Mutant(
        "what left the open set is not read again",
        "services/looks.py",
        "        self._left(watch, left, matcher, report)\n",
        "        self._left(watch, [], matcher, report)\n",
    ),
    Mutant(
        "open documents are compared by status alone",
        "sync/layout.py",
        "facts.cancel, facts.close, facts.approved} | layout.watched\n    entries",
        "facts.cancel, facts.close, facts.approved}\n    entries",
    ),
    Mutant(
        "the look at open documents does not compare rows of entries",
        "sync/layout.py",
        "entries = layout.entries if layout.watched & {ENTRIES, *layout.entries} else ()",
        "entries = ()",
    ),
    Mutant(
        "documents missing among the open ones are deleted there",
        "services/looks.py",
        "self._mark(watch, {doc_id for doc_id in some if doc_id not in found}, is_open=False)",
        "self.ingest.remove(watch, [i for i in some if i not in found], matcher, found_by=report.look)",
    ),
    Mutant(
        "a vanished open document does not ask for the look at all keys",
        "services/looks.py",
        "report.vanished = report.vanished or len(found) < len(some)",
        "report.vanished = False",
    ),
    Mutant(
        "what differs at the look at all keys counts as missed at once",
        "services/looks.py",
        "odd = {*looks()}",
        "odd = set[str]()",
    ),
    Mutant(
        "what the look at all keys finds is not read",
        "services/looks.py",
        "self._reread(watch, found, matcher, report, is_open=None, missed=missed)",
        "self._reread(watch, {}, matcher, report, is_open=None, missed=missed)",
    ),
    Mutant(
        "what changed during the look at all keys counts as missed",
        "services/looks.py",
        "if i in rows and agree(rows[i], watch.layout, missed[i], watch.keys)}",
        "if i in rows}",
    ),
    Mutant(
        "a look at everything that was cut off counts as complete",
        "services/looks.py",
        '            self._compare(watch, cursor, "", matcher, report, census)\n'
        "        if cursor.layout_id != watch.layout_id:\n            self._save(watch, layout_id=watch.layout_id)\n",
        "            if cursor.layout_id != watch.layout_id:\n"
        "                self._save(watch, layout_id=watch.layout_id)\n"
        '            self._compare(watch, cursor, "", matcher, report, census)\n',
    ),
    Mutant(
        "a first look that was cut off begins with another clock",
        "services/looks.py",
        'report, began = Report("first"), cursor.first_look_from or ""',
        'report, began = Report("first"), ""',
    ),
    Mutant(
        "the cursor is set to now after the first look",
        "services/looks.py",
        "newest=cursor.newest or began,",
        "newest=self._local(self.clock.now()),",
    ),
    Mutant(
        "a document missing from a page counts as deleted without being asked for",
        "services/missing.py",
        "there = {*reread(vanished)} if accepted or len(vanished) <= MANY else set[str]()",
        "there = set[str]()",
    ),
    Mutant(
        "deletions are never confirmed",
        "services/missing.py",
        "        if not report.alarm:\n            for some in",
        "        if report.alarm:\n            for some in",
    ),
    # --- ingest
    Mutant(
        "the cursor is saved before the documents",
        "services/ingest.py",
        "        with self.db.write() as tx:\n            watch.snapshots.put(tx, step.documents)",
        "        if cursor:\n            with self.db.write() as tx:\n"
        "                forms.save(tx, watch.form_id, **cursor)\n"
        "        with self.db.write() as tx:\n            watch.snapshots.put(tx, step.documents)",
    ),
    Mutant(
        "what is told is committed after the documents",
        "services/ingest.py",
        "            notifications.add(tx, self.seal, step.told)\n",
        "        with self.db.write() as tx:\n            notifications.add(tx, self.seal, step.told)\n",
    ),
    Mutant("the first look tells", "services/ingest.py", "change = None if old is None and first else", "change ="),
    Mutant(
        "an edit leaves the stored document as it was",
        "services/ingest.py",
        "        if old.row != row:\n            if rewound",
        "        if old.row is None:\n            if rewound",
    ),
    Mutant(
        "the version of a changed document stays",
        "services/ingest.py",
        "version = change.version if change else old.version if old else 1",
        "version = old.version if old else 1",
    ),
    Mutant(
        "a document may leave the open set unnoticed",
        "services/ingest.py",
        "is_open = int(old.is_open)\n            blob",
        "is_open = 0\n            blob",
    ),
    Mutant(
        "a deletion is stored and not told",
        "services/ingest.py",
        "step.told.extend(matcher.notifications(watch, doc_id, change, step.now) if matcher else ())",
        "pass",
    ),
    # --- core
    Mutant(
        "the submit on the way to an approval is left out",
        "sync/transitions.py",
        '("A", "C"): (T.SUBMITTED, T.APPROVED)',
        '("A", "C"): (T.APPROVED,)',
    ),
    Mutant(
        "a second approval is no event",
        "sync/diff.py",
        "status_passed(str(was[0]), str(now[0]), approved_later=again)",
        "status_passed(str(was[0]), str(now[0]), approved_later=False)",
    ),
    Mutant(
        "a new document in approval is only created",
        "sync/transitions.py",
        '"B": (T.CREATED, T.SUBMITTED),',
        '"B": (T.CREATED,),',
    ),
    Mutant(
        "a flag fires at each look",
        "sync/transitions.py",
        "if new == YES and old != YES else ()",
        "if new == YES else ()",
    ),
    Mutant(
        "a new column counts as changed",
        "sync/diff.py",
        "if key in before and key in after]",
        "if key in after and (key in before or key != key)] + [(k, 0, after[k]) for k in layout.watched - before.keys()"
        " if k in after]",
    ),
    Mutant(
        "entry rows are not compared",
        "sync/diff.py",
        "return keys | (_changed_in_entries(old, row, layout) & watched) if layout.entries else keys",
        "return keys",
    ),
    Mutant(
        "equal content written differently is a change",
        "sync/fingerprint.py",
        "or canonical(one) == canonical(other)",
        "",
    ),
    Mutant(
        "numbers in rows written differently are a change",
        "sync/fingerprint.py",
        "if one != other and canonical(one) != canonical(other)",
        "if one != other",
    ),
    Mutant(
        "un-approval has another order",
        "sync/transitions.py",
        '("C", "B"): (T.UNAPPROVED, T.SUBMITTED)',
        '("C", "B"): (T.SUBMITTED, T.UNAPPROVED)',
    ),
    # --- match, settle, notices
    Mutant(
        "one rule is asked about each event",
        "services/match.py",
        "for rule in rules:\n                found",
        "for rule in rules[:1]:\n                found",
    ),
    Mutant(
        "events of one document share an id",
        "sync/identity.py",
        'return digest("event", account_set, form, doc_id, str(version), kind)',
        'return digest("event", account_set, form, doc_id, kind)',
    ),
    Mutant(
        "what a look that failed had gathered is not settled",
        "services/watcher.py",
        "        except EdgeError:\n            self._settle()\n            raise",
        "        except EdgeError:\n            raise",
    ),
    Mutant(
        "one member of a storm is in no summary",
        "services/settle.py",
        "storms.decide(tx, (one.id for one in storm.members), STORM, storm=summary.id)",
        "storms.decide(tx, [one.id for one in storm.members][1:], STORM, storm=summary.id)",
    ),
    Mutant(
        "the summary of a storm is not written",
        "services/settle.py",
        "notifications.add(tx, self.seal, [summary])",
        "pass",
    ),
    Mutant(
        "the dead are told in a transaction of their own, before",
        "services/dispatch.py",
        "        with self.db.write() as tx:\n            outbox.bury(tx, [letter.id], now, error.kind, str(error))\n",
        "        with self.db.write() as tx:\n            outbox.bury(tx, [letter.id], now, error.kind, str(error))\n"
        "        with self.db.write() as tx:\n",
    ),
    Mutant(
        "a dead letter is not told",
        "services/dispatch.py",
        "            self.notices.dead(tx, letter, error.message)\n",
        "",
    ),
    # --- address
    Mutant(
        "letters are committed before the notification is settled",
        "services/address.py",
        "            outbox.add(tx, self.seal, letters)\n",
        "            outbox.add(tx, self.seal, letters)\n        with self.db.write() as tx:\n",
    ),
    Mutant(
        "the notification is settled before its letters are written",
        "services/address.py",
        "            outbox.add(tx, self.seal, letters)\n            cards.add(",
        "            notifications.settle(tx, notification.id,"
        " ADDRESSED if letters else BROKEN, reason or notification.reason)\n"
        "        with self.db.write() as tx:\n            outbox.add(tx, self.seal, letters)\n            cards.add(",
    ),
    Mutant(
        "quiet hours are only minded at the second try",
        "services/address.py",
        "next_attempt_at=self._when(notification),",
        "next_attempt_at=self.clock.now(),",
    ),
    Mutant(
        "letters have no order",
        "services/address.py",
        'thread=f"{notification.form} {notification.doc_id}" if notification.doc_id else None,',
        "thread=None,",
    ),
    # --- dispatch and outbox
    Mutant("a call carries 1,000 people", "services/dispatch.py", "PEOPLE_A_CALL = 100", "PEOPLE_A_CALL = 1000"),
    Mutant("a lease is over at once", "services/dispatch.py", "LEASE = timedelta(seconds=60)", "LEASE = timedelta(0)"),
    Mutant(
        "a lease never ends",
        "store/claims.py",
        "CASE state WHEN 'waiting' THEN next_attempt_at ELSE lease_until END <= :now",
        "CASE state WHEN 'waiting' THEN next_attempt_at ELSE '9' END <= :now",
    ),
    Mutant(
        "the claim is not committed before the call",
        "store/claims.py",
        "tx.execute(leased.values(state=LEASED,",
        "tx.execute(leased.values(state=WAITING,",
    ),
    Mutant(
        "a refusal of many buries the first",
        "services/dispatch.py",
        "        elif len(letters) > 1 and first",
        "        elif len(letters) > 1000 and first",
    ),
    Mutant(
        "nobody is tried alone",
        "store/outbox.py",
        '{"alone": 1} if alone',
        '{"alone": 0} if alone',
    ),
    Mutant(
        "an accepted letter is sent again",
        "store/outbox.py",
        'values: dict[str, Any] = {"state": ACCEPTED,',
        'values: dict[str, Any] = {"state": WAITING,',
    ),
    Mutant(
        "a letter that is on its way can be dropped",
        "store/outbox.py",
        "mine = outbox.c.id.in_(ids) & outbox.c.state.in_((DEAD, WAITING))\n    dropped",
        "mine = outbox.c.id.in_(ids)\n    dropped",
    ),
    Mutant(
        "a letter that was accepted can be revived",
        "store/outbox.py",
        "mine = (these | same) & outbox.c.state.in_((DEAD, WAITING))",
        "mine = these | same",
    ),
    Mutant(
        "a hold holds nothing",
        "services/channels.py",
        "shut = [hold for hold in held if hold.blocks(now)]",
        "shut = [hold for hold in held if hold.blocks(now) and not hold.failures]",
    ),
    Mutant(
        "an unknown outcome counts as accepted",
        "services/dispatch.py",
        "        except EdgeError as error:\n            self._failed(letters, error)\n",
        "        except EdgeError as error:\n"
        "            if error.kind is FailureKind.UNKNOWN_OUTCOME:\n"
        '                self._accepted(letters, "")\n'
        "            else:\n                self._failed(letters, error)\n",
    ),
    Mutant(
        "an unknown outcome is given up",
        "delivery/retry.py",
        "if kind is FailureKind.REFUSED or",
        "if kind in (FailureKind.REFUSED, FailureKind.UNKNOWN_OUTCOME) or",
    ),
    Mutant(
        "a lost token is a refusal",
        "delivery/retry.py",
        "if kind is FailureKind.REFUSED or",
        "if kind in (FailureKind.REFUSED, FailureKind.SESSION_LOST) or",
    ),
    Mutant("it is tried again at once", "delivery/retry.py", "STEPS = (2.0,", "STEPS = (0.0,"),
    Mutant(
        "the limit of a day is not minded",
        "services/dispatch.py",
        "letters = [letter for letter in letters if letter.target not in full]",
        "letters = [*letters]",
    ),
    Mutant("the limit of a day is one more", "delivery/limits.py", "if count >= A_DAY)", "if count > A_DAY)"),
    Mutant(
        "what was held up goes out at night",
        "services/dispatch.py",
        "if letter.reason != ASKED_FOR] if until > now else []",
        "if letter.reason != ASKED_FOR] if until < now else []",
    ),
    Mutant(
        "a claim that no answer came of is not noted",
        "store/claims.py",
        "unheard = [letter.id for letter in letters if letter.state == LEASED]",
        "unheard: list[str] = []",
    ),
    Mutant(
        "each claim counts as one of which no answer came",
        "store/claims.py",
        "unheard = [letter.id for letter in letters if letter.state == LEASED]",
        "unheard = [letter.id for letter in letters if letter.attempts]",
    ),
    Mutant(
        "what may have been shown counts for nothing",
        "store/shown.py",
        "counts.update(target for target in unheard if target in targets)",
        "counts.update(target for target in unheard if target not in targets)",
    ),
    Mutant(
        "what got no answer counts for nothing",
        "store/shown.py",
        "where(UNKNOWN, attempts.c.at >= _SINCE)",
        "where(UNKNOWN, attempts.c.at < _SINCE)",
    ),
    Mutant(
        "what got no answer on another day counts for ever",
        "store/shown.py",
        "where(UNKNOWN, attempts.c.at >= _SINCE)",
        "where(UNKNOWN)",
    ),
    Mutant(
        "what another process is sending counts for nothing",
        "store/shown.py",
        "outbox.c.id.in_(union(_SENT, _LEASED))",
        "outbox.c.id.in_(_SENT)",
    ),
    Mutant(
        "what was accepted after no answer came counts twice",
        "store/shown.py",
        'func.coalesce(outbox.c.accepted_at, "") < _SINCE',
        'func.coalesce(outbox.c.accepted_at, "") < "9"',
    ),
    Mutant(
        "what is sent once more counts beside itself",
        "store/shown.py",
        "_NOT_ACCEPTED, outbox.c.channel == WORK, _OTHERS)",
        "_NOT_ACCEPTED, outbox.c.channel == WORK)",
    ),
    Mutant(
        "what goes to groups counts for people",
        "store/shown.py",
        "_NOT_ACCEPTED, outbox.c.channel == WORK, _OTHERS)",
        "_NOT_ACCEPTED, _OTHERS)",
    ),
    Mutant(
        "people who may have been reached count for nothing in their minute",
        "store/shown.py",
        "for which in (_ACCEPTED, _UNHEARD)",
        "for which in (_ACCEPTED,)",
    ),
    Mutant(
        "people who were reached count for nothing in their minute",
        "store/shown.py",
        "for which in (_ACCEPTED, _UNHEARD)",
        "for which in (_UNHEARD,)",
    ),
    # --- receipts
    Mutant(
        "a message to nobody stays accepted",
        "services/receipts.py",
        "lost = [] if there else",
        "lost = [] if not there else",
    ),
    Mutant(
        "a message to nobody dies in silence",
        "services/receipts.py",
        "                self.notices.dead(tx, letter, REASON)\n",
        "                pass\n",
    ),
    Mutant(
        "only the first message of a day to nobody is found out",
        "services/receipts.py",
        "since = before.refreshed_at if before and before.userid else now - LOOK_BACK",
        "since = now",
    ),
    # --- the way back
    Mutant(
        "a message that comes again is worked on again",
        "store/inbox.py",
        "values(**row).on_conflict_do_nothing()",
        'values(**row).on_conflict_do_update(index_elements=["id"], set_={"state": WAITING})',
    ),
    Mutant(
        "a write is not noted before it is sent",
        "services/carry.py",
        "row = writes.intend(tx, self._intended(item, do, step, task), self._kept(bill, do.read_back))",
        "row = 0",
    ),
    Mutant(
        "a write that a crash cut off counts as never sent",
        "store/writes.py",
        "MAYBE = (INTENDED, ACCEPTED, UNKNOWN)",
        "MAYBE = (ACCEPTED, UNKNOWN)",
    ),
    Mutant(
        "a write is repeated while the first is under way",
        "services/carry.py",
        "UNDER_WAY = timedelta(seconds=10)",
        "UNDER_WAY = timedelta(0)",
    ),
    Mutant(
        "what may have been done is called impossible",
        "services/inbound.py",
        "        if unsure:\n            return endings.unknown(",
        "        if not item:\n            return endings.unknown(",
    ),
    Mutant(
        "who was allowed something goes on with steps of another action",
        "services/inbound.py",
        'not in ("", fingerprint(action))',
        'not in ("", item.content.get("do"), fingerprint(action))',
    ),
    Mutant(
        "a click counts for what its card did not show",
        "services/clicks.py",
        "if not same(bill.raw(key), value)]",
        "if bill is None]",
    ),
    Mutant(
        "a click on a card about one task decides the next one, too",
        "services/carry.py",
        "or ({str(asked)} if asked else set())",
        "or set()",
    ),
    Mutant(
        "a card about a task that is decided still counts",
        "services/clicks.py",
        "return any(task.item_id == card.item_id for task in self.desk.tasks(card.form, card.number))",
        "return True",
    ),
    Mutant(
        "a click that is pushed again is a second one",
        "store/inbox.py",
        '    if any(pushed and one.content.get("message_id") == pushed for one in known):\n        return False\n',
        "",
    ),
    Mutant(
        "a card does not show what was decided on it",
        "services/decisions.py",
        "        if after != mine:\n",
        "        if after != after:\n",
    ),
    Mutant(
        "who clicked goes on seeing that it is being worked on",
        "services/decisions.py",
        "return replace(card, state=state, line=self._line(card), private=dict.fromkeys(card.private))",
        "return replace(card, state=state, line=self._line(card), private={})",
    ),
    Mutant(
        "a change that comes while DingTalk is told of another is forgotten",
        "store/cards.py",
        "mine = (cards.c.track == card.track, cards.c.dirty == card.dirty)",
        "mine = (cards.c.track == card.track,)",
    ),
    Mutant(
        "a word about one task answers the next",
        "services/carry.py",
        "if not answered or task.item_id in answered), None)",
        "if True or task.item_id in answered), None)",
    ),
    Mutant(
        "another's decision is called done",
        "services/carry.py",
        "return bill.status in against and all(",
        "return not against and all(",
    ),
    Mutant(
        "an audit goes past a workflow",
        "commands/plan.py",
        "if state.running:",
        "if state.running and not state.status:",
    ),
    Mutant("the condition is not asked", "commands/authorize.py", "if not facts.when_holds:", "if not facts.person:"),
    Mutant(
        "the own document is everybody's",
        "commands/authorize.py",
        "if facts.is_own and not own_allowed:",
        "if facts.is_own and own_allowed is None:",
    ),
    Mutant(
        "one person is enough above the limit",
        "commands/authorize.py",
        'second = facts.confirmed_by not in ("", facts.person)',
        "second = facts.confirmed_by != facts.person",
    ),
    Mutant(
        "a first confirmation counts for every amount",
        "store/inbox.py",
        "for one in found if _about(one) == about)",
        "for one in found if about)",
    ),
    Mutant(
        "a first person who lost the right counts",
        "services/permit.py",
        "if one not in made_by and self._is_granted(one, action, bill, tasks))",
        "if one not in made_by)",
    ),
    Mutant(
        "who cannot be told from the creator is somebody else",
        "services/permit.py",
        "maker_unknown=unknown",
        'maker_unknown=""',
    ),
    Mutant(
        "a first confirmation counts for ever",
        "store/inbox.py",
        "inbox.c.finished_at > _last_done(tx, item))",
        'inbox.c.finished_at > "")',
    ),
    Mutant(
        "the answer is committed after the end",
        "services/replies.py",
        "if item.sender and ending.state != inbox.IGNORED:\n            reply",
        "if item.sender and ending.state != inbox.IGNORED:\n            tx.commit()\n            reply",
    ),
    Mutant(
        "the last write's step is not counted",
        "services/carry.py",
        "inbox.advance(tx, item.id, step + 1)",
        "inbox.advance(tx, item.id, step)",
    ),
)


def main(wanted: list[str]) -> int:
    """Try them; 1 where one survived."""
    chosen = [one for one in MUTANTS if not wanted or any(part in f"{one.file} {one.name}" for part in wanted)]
    found = Path(tempfile.mkdtemp())
    survivors = 0
    try:
        for mutant in chosen:
            began = time.monotonic()
            judge = _judged(mutant, found)
            survivors += judge == "survived"
            print(f"{judge:12} {time.monotonic() - began:5.0f} s  {mutant.file:22} {mutant.name}", flush=True)  # noqa: T201  # run by hand
    finally:
        shutil.rmtree(found)
    print(f"{len(chosen)} defects, {survivors} survived")  # noqa: T201  # run by hand
    return 1 if survivors else 0


def _judged(mutant: Mutant, folder: Path) -> str:
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for part in TREE:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        (tree / part).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / part, tree / part)
    file = tree / "kdsync" / mutant.file
    text = file.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.file} has {text.count(mutant.old)} times, not once: {mutant.old}")
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    back = Path(mutant.file).stem in WAY_BACK  # the machine that is about it is asked first
    judges = sorted(JUDGES, key=lambda judge: judge[0] != "machine C") if back else JUDGES
    return next((name for name, paths in judges if not _passes(tree, paths)), "survived")


def _passes(tree: Path, paths: tuple[str, ...]) -> bool:
    """Whether the tests pass; one that does not end has found something too."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *paths]
    kept = {key: value for key, value in os.environ.items() if key != "KDSYNC_EXPLORE"}
    environment = {**kept, "PYTHONPATH": str(tree), "KDSYNC_HUNT": "1"}
    try:
        run = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, check=False, timeout=PATIENCE, text=True
        )
    except subprocess.TimeoutExpired:
        return False
    if run.returncode not in (0, 1):
        raise SystemExit(run.stdout[-2000:] + run.stderr[-2000:])
    return run.returncode == 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
