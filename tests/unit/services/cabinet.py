"""Both systems as an intake sees them: approvals that people agreed to, and a Kingdee to put documents into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import select

from kdsync.dingtalk.approvals import Approval
from kdsync.dingtalk.components import Attachment, Component
from kdsync.dingtalk.contacts import Contact
from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.attachments import UNREADABLE
from kdsync.rules.intake import CompiledIntake, IntakeSection, compile_intake
from kdsync.services.attaching import Attaching
from kdsync.services.cabinet import Made, Staff
from kdsync.services.carry import Carry
from kdsync.services.desk import Bill, Ruling
from kdsync.services.filing import Filing
from kdsync.services.intake import Intake
from kdsync.services.intake_words import IntakeWords
from kdsync.services.missed import Missed
from kdsync.services.numbers import Numbers
from kdsync.services.tries import Tries
from kdsync.store import inbox, intake, moments
from kdsync.store.inbox import Received
from kdsync.store.schema import writes
from tests.unit.services.desk import FakeDesk, trouble
from tests.unit.services.world import ZONE, World

CLAIM: dict[str, Any] = {
    "id": "claim",
    "process": "PROC-1",
    "form": "ER_ExpReimbursement",
    "as": "audit",
    "fields": {"FCausa": "{{ form['事由'] }}", "FProposerID": "{{ applicant | employee }}"},
    "attachments": ["发票"],
}


def compiled(**other: Any) -> CompiledIntake:
    return compile_intake(IntakeSection.model_validate({**CLAIM, **other}, strict=False))


class FakeCabinet(FakeDesk):
    """`making` are faults, taken one a new document: lost, cut, refused, numbered (Kingdee gives a number of its own).

    `hanging` are faults, taken one a file: lost, cut, refused, locked, swallowed (Kingdee says yes and shows nothing).
    """

    def __init__(self) -> None:
        super().__init__()
        self.making: list[str] = []
        self.hanging: list[str] = []
        self.models: list[Mapping[str, Any]] = []
        self.files: list[str] = []
        self.tells_files = True
        self.hidden = 0  # looks in which a new document does not show

    def find(self, form: str, key: Any, value: Any, _rows: Any = ()) -> list[Bill]:
        self._reachable()
        if self.hidden:
            self.hidden -= 1
            return []
        field = key if isinstance(key, str) else "FBillNo"
        mine = [one for one, values in self.bills.items() if one[0] == form and values.get(field) == value]
        return [self._bill(one, ()) for one in mine]

    def read(self, form: str, doc_id: str, fields: Any = (), rows: Any = ()) -> Bill | None:
        if self.hidden:
            self.hidden -= 1
            return None
        return super().read(form, doc_id, fields, rows)

    def make(self, form: str, key: str | None, value: str, model: Mapping[str, Any], *, draft: bool) -> Made:
        self._reachable()
        fault = self.making.pop(0) if self.making else ""
        self.models.append({**model, "draft": draft})
        if fault == "cut":
            raise trouble(FailureKind.UNKNOWN_OUTCOME)
        if fault == "refused":
            return Made(Ruling(done=False, text="必填项未录入"))
        if key is None and any(values["FBillNo"] == value for values in self.bills.values()):
            return Made(Ruling(done=False, text="违反字段唯一性要求：编码唯一"))
        place = next(n for n in count(1) if (form, f"D{n}") not in self.bills)
        ident, number = f"D{place}", value if key is None and "numbered" not in fault else f"FYBX{place:03}"
        self.create(ident, number, "Z" if draft else "A", form, **({key: value} if key else {}))
        if "lost" in fault:
            raise trouble(FailureKind.UNKNOWN_OUTCOME)
        return Made(Ruling(done=True), ident, number)

    def attached(self, form: str, doc_id: str) -> frozenset[str]:
        del form, doc_id
        if not self.tells_files:
            raise trouble(FailureKind.CONFIGURATION, UNREADABLE)
        return frozenset(self.files)

    def attach(self, form: str, doc_id: str, number: str, name: str, content: bytes) -> None:
        del form, doc_id, number, content
        fault = self.hanging.pop(0) if self.hanging else ""
        if fault == "refused":
            raise EdgeError("kingdee", FailureKind.REFUSED, "x", "no", words="文件类型不允许")
        if fault == "locked":
            raise trouble(FailureKind.TRANSIENT)
        if fault not in ("cut", "swallowed"):
            self.files.append(name)
        if fault in ("cut", "lost"):
            raise trouble(FailureKind.UNKNOWN_OUTCOME)

    def stored_name(self, name: str) -> str:
        return name.replace("/", "_")


@dataclass(frozen=True)
class Drawer:
    """The cabinet: what a desk calls create is another thing there."""

    fake: FakeCabinet

    def __getattr__(self, name: str) -> Any:
        return getattr(self.fake, "make" if name == "create" else name)


@dataclass
class FakeApprovals:
    """DingTalk's approvals; `faults` are raised one a call of `comment`."""

    known: dict[str, Approval] = field(default_factory=dict)
    comments: list[tuple[str, str, str]] = field(default_factory=list)
    faults: list[FailureKind] = field(default_factory=list)
    fetched: int = 0
    asked: list[timedelta] = field(default_factory=list)
    down: bool = False
    used_up: bool = False  # the month's calls
    broken: dict[str, FailureKind] = field(default_factory=dict)  # processes whose approvals cannot be listed
    listed: list[str] = field(default_factory=list)  # the processes of `finished`
    lost_file: bool = False
    slow_files: int = 0  # so many do not come in time
    downloads: int = 0

    def instance(self, instance_id: str) -> Approval | None:
        self._reachable()
        self.fetched += 1
        return self.known.get(instance_id)

    def finished(self, process_code: str, since: datetime, until: datetime) -> Iterator[str]:
        self._reachable()
        self.listed.append(process_code)
        if process_code in self.broken:
            raise EdgeError("dingtalk", self.broken[process_code], "x", "no list")
        self.asked.append(until - since)
        known = self.known.values() if process_code == "PROC-1" else ()
        yield from [one.instance_id for one in known if one.created_at and one.created_at >= since]

    def comment(self, instance_id: str, userid: str, text: str) -> None:
        if self.faults:
            raise EdgeError("dingtalk", self.faults.pop(0), "x", "trouble")
        self.comments.append((instance_id, userid, text))

    def download(self, instance_id: str, file_id: str, most: int) -> bytes:
        del most
        self._reachable()
        self.downloads += 1
        if self.slow_files:
            self.slow_files -= 1
            raise EdgeError("dingtalk", FailureKind.TRANSIENT, "timeout", "no answer")
        if self.lost_file:
            raise EdgeError("dingtalk", FailureKind.REFUSED, "too large", "the file is too large")
        return f"{instance_id} {file_id}".encode()

    def _reachable(self) -> None:
        if self.down:
            raise EdgeError("dingtalk", FailureKind.TRANSIENT, "timeout", "no answer")
        if self.used_up:
            raise EdgeError("dingtalk", FailureKind.QUOTA, "90020", "the month's calls are used up")


class FakeRegister:
    """Kingdee's people and departments."""

    def __init__(self) -> None:
        self.mobiles: dict[str, list[Staff]] = {"138": [Staff("E1", "P1")]}
        self.jobs: dict[str, list[Staff]] = {}
        self.accounts: dict[str, list[Staff]] = {}
        self.units: dict[str, list[str]] = {}
        self.ids: dict[str, list[str]] = {}

    def by_mobile(self, mobile: str) -> list[Staff]:
        return self.mobiles.get(mobile, [])

    def by_job_number(self, number: str) -> list[Staff]:
        return self.jobs.get(number, [])

    def by_account(self, account: str) -> list[Staff]:
        return self.accounts.get(account, [])

    def users(self, *, account: str = "", person: str = "") -> list[str]:
        return self.ids.get(account or person, [])

    def departments(self, name: str) -> list[str]:
        return self.units.get(name, [])


class FakeBook:
    """DingTalk's directory."""

    def __init__(self) -> None:
        self.people = {"u1": Contact("u1", "Wang", "138", "J1")}

    def user(self, userid: str) -> Contact | None:
        return self.people.get(userid)


class Registry:
    """The services of intake around the fakes; `u1` is employee E1."""

    def __init__(self, world: World, cabinet: FakeCabinet | None = None) -> None:
        self.world, self.cabinet, self.approvals = world, cabinet or FakeCabinet(), FakeApprovals()
        self.register, self.book = FakeRegister(), FakeBook()
        self.intakes = [compiled()]
        self.restart()

    def restart(self) -> None:
        """New services on the same store, as in a new process."""
        world, zone = self.world, ZONE
        words = IntakeWords(
            world.db,
            world.seal,
            world.clock,
            self.approvals,
            world.notices,
            lambda: world.settings,
            lambda: ("zh", "en"),
            lambda userid: userid.upper(),
        )
        drawer: Any = Drawer(self.cabinet)
        tries = Tries(world.db, world.clock)
        self.intake = Intake(
            db=world.db,
            seal=world.seal,
            clock=world.clock,
            approvals=self.approvals,
            numbers=Numbers(self.register, self.book, lambda: world.settings.directory),
            filing=Filing(world.db, world.seal, world.clock, tries, drawer),
            attaching=Attaching(world.db, world.seal, tries, drawer, self.approvals),
            carry=Carry(world.db, self.cabinet, world.clock, lambda _task, _userid: False, world.seal),
            words=words,
            meter=world.meter,
            intakes=lambda: self.intakes,
            zone=lambda: zone,
        )
        self.missed = Missed(
            world.db, world.seal, world.clock, self.approvals, world.meter, lambda: self.intakes, lambda: 3600.0
        )

    def approval(
        self, ident: str = "A1", files: Sequence[str] = (), contract: Sequence[str] = (), **other: Any
    ) -> Approval:
        """Somebody's approval that was agreed to just now."""
        now = self.world.clock.now()
        held = {"发票": files, "合同": contract} if contract else {"发票": files}
        fields = (
            Component("事由", "TextField", "taxi"),
            *(
                Component(field, "DDAttachment", files=tuple(Attachment(f"file {name}", name) for name in names))
                for field, names in held.items()
            ),
        )
        told: dict[str, Any] = {
            "process_code": "",
            "business_id": f"2026{ident}",
            "title": "Wang's claim",
            "status": "COMPLETED",
            "result": "agree",
            "applicant": "u1",
            "department": "-1",
            "created_at": now,
            "finished_at": now.replace(second=0, microsecond=0),
            "components": fields,
        }
        found = self.approvals.known[ident] = Approval(instance_id=ident, **{**told, **other})
        return found

    def event(self, ident: str = "A1", *, timed: bool = True) -> bool:
        """DingTalk tells of it, and when it was finished; whether that is new."""
        now = self.world.clock.now()
        finished = moments.text(now) if timed else ""
        content = {"instance": ident, "process": "PROC-1", "finished_at": finished, "event": True}
        return self.intake.take(
            Received(
                intake.row_id(ident),
                intake.APPROVAL,
                "u1",
                content,
                now,
                state=intake.TAKEN,
                action="claim",
                form="ER_ExpReimbursement",
                number=f"2026{ident}",
            )
        )

    def agree(self, ident: str = "A1", files: Sequence[str] = (), **other: Any) -> Received:
        """An approval is agreed to and worked on once; what became of it."""
        self.approval(ident, files, **other)
        self.event(ident)
        self.intake.step()
        return self.row(ident)

    def row(self, ident: str = "A1") -> Received:
        with self.world.db.read() as tx:
            found = inbox.find(tx, self.world.seal, intake.row_id(ident))
        assert found is not None
        return found

    def wait(self, seconds: float) -> None:
        """Let time pass, and work on what is due."""
        self.world.clock.advance(seconds)
        self.intake.step()

    def settle(self, seconds: float = 4 * 86_400.0) -> Received:
        """Let time pass until nothing is due any more."""
        end = self.world.clock.now() + timedelta(seconds=seconds)
        while self.row().state == intake.TAKEN and self.world.clock.now() < end:
            with self.world.db.read() as tx:
                due = intake.next_due(tx)
            assert due is not None
            self.wait(max((moments.parse(due) - self.world.clock.now()).total_seconds(), 0.0))
        return self.row()

    def written(self, operation: str, ident: str = "A1") -> list[str]:
        """The outcomes of all writes of one operation."""
        mine = (writes.c.inbox_id == intake.row_id(ident), writes.c.operation == operation)
        with self.world.db.read() as tx:
            return list(tx.execute(select(writes.c.outcome).where(*mine).order_by(writes.c.id)).scalars())

    def statuses(self) -> list[str]:
        return [str(values["FDocumentStatus"]) for values in self.cabinet.bills.values()]

    def told(self, userid: str) -> list[str]:
        """The titles that somebody got."""
        self.world.deliver()
        return self.world.dingtalk.seen(userid)
