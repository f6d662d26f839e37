"""A Kingdee Cloud Xingkong on loopback, for `kdsync demo`, `kdsync simulate` and tests.

Written from the official SDK, the V6.0 interface manual and public captures; where those leave a choice, the harsher
one is taken: pages are cut silently, lost permissions show as missing rows, errors come as HTTP 200 shaped like rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from random import Random
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

from kdsync.clock import Clock
from kdsync.simulator.faults import KINGDEE, Faults
from kdsync.simulator.kingdee_attachments import Attachments
from kdsync.simulator.kingdee_catalogue import FORMS
from kdsync.simulator.kingdee_documents import Backup, Documents, Entries
from kdsync.simulator.kingdee_forms import Form
from kdsync.simulator.kingdee_http import Server
from kdsync.simulator.kingdee_login import Credentials, Gate, Session
from kdsync.simulator.kingdee_push import Pusher
from kdsync.simulator.kingdee_requests import SCOPES, Desk, Request
from kdsync.simulator.kingdee_services import MOST_ROWS, Services
from kdsync.simulator.kingdee_tables import Tables
from kdsync.simulator.kingdee_verbs import Verbs
from kdsync.simulator.kingdee_welcome import Warned, welcome
from kdsync.simulator.kingdee_workflow import Workflow

Id = int | str


class SimulatedKingdee(Verbs):
    """The server and what people do in it. Verbs raise KeyError for a document that is not there, `Refusal` for a step
    that its status does not allow and ValueError for a field that the form does not have.

    Base data is given as {"id": …, "FNumber": …, "FName": …} or as the id of a document here; dates as text, `date` or
    `datetime`. `by` is the id of the user who does it, the integration's user by default.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        port: int = 0,
        acct_id: str = "65a1b2c3d4e5f6",
        username: str = "kdsync",
        app_id: str = "224551_abcdefghijklmnopqrstuvwxyz012345",
        app_secret: str = "0123456789abcdef0123456789abcdef",  # noqa: S107  # opens nothing but this simulator
        password: str = "kdsync-demo",  # noqa: S107  # the same
        timezone: str = "Asia/Shanghai",
        clock_skew: float = 0.0,
        max_page: int = MOST_ROWS,
        sign_algorithm: str = "sha256",
        random: Random | None = None,
    ) -> None:
        self.credentials = Credentials(acct_id, username, app_id, app_secret, password, sign_algorithm)
        self.timezone = timezone
        self.data_centre = (acct_id, "kdsync")  # what logins say that the account set is: id and name
        self.login_warning: Warned = ""  # what logins speak of, and let in all the same
        self._clock = clock
        self._port = port
        random = random or Random()
        self.faults = Faults(KINGDEE, random, clock)
        self._tables = Tables()
        for form in FORMS.values():
            self._tables.define(form)
        self._documents = Documents(self._tables, clock, ZoneInfo(timezone), clock_skew, random)
        self.workflow = Workflow(self._documents, random)
        self.pusher = Pusher(self._documents)
        self.gate = Gate(self.credentials, clock, self._documents.now, self._active_user, random)
        self._attachments = Attachments(self._documents, random)
        self._services = Services(self._documents, self.workflow, self.pusher, self._attachments, max_page)
        self._desk = Desk(self.gate, self._services, self.faults, self._welcome)
        self._server: Server | None = None
        self.user = self.create("SEC_User", username, FName="kdsync", creator=0)

    # The server

    def start(self) -> Self:
        """Listen. After a stop the same port is used and the documents are still there."""
        self._server = Server(self._port, self._desk.answer, self._clock, self._documents.now)
        self._port = self._server.port
        self._server.start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/K3Cloud/"

    @property
    def logins(self) -> int:
        """How many logins were tried, whatever came of them."""
        return self._desk.logins

    @property
    def answered(self) -> int:
        """How many requests reached a service so far."""
        return self._desk.answered

    @property
    def requests(self) -> list[Request]:
        """Every request that reached a service, oldest first; may be cleared."""
        return self._desk.requests

    @property
    def missing_services(self) -> set[str]:
        """Names of services that this server does not have; to be filled by tests."""
        return self._desk.missing

    @property
    def clock_skew(self) -> float:
        """How many seconds the server's clock is ahead."""
        return self._documents.skew

    @clock_skew.setter
    def clock_skew(self, seconds: float) -> None:
        self._documents.skew = seconds

    def fault(
        self,
        name: str,
        times: int | None = None,
        op: str | None = None,
        form: str | None = None,
        seconds: float | None = None,
        probability: float | None = None,
        gap: float = 0.0,
    ) -> None:
        """Let something go wrong; see `faults.KINGDEE`. `op` is the name of a service such as `Save`."""
        self.faults.add(
            name,
            times=times,
            probability=probability,
            seconds=seconds,
            gap=gap,
            op=op and f"/{op}/",
            form=form and f"/{form}/",
            kind=SCOPES.get(name),
        )

    def clear_faults(self) -> None:
        self.faults.clear()

    def forget_sessions(self) -> None:
        """Every session is lost, as after a restart of the server."""
        self.gate.sessions.clear()

    def unlock(self, account: str) -> None:
        """Let an account in again that was locked after wrong passwords."""
        self.gate.wrong_passwords.pop(account, None)

    def grant(self, form: str, allowed: bool | str) -> None:
        """Give or take the permission for a form; a FilterString leaves the documents that match it."""
        self._services.grants[self._tables.form(form).id.casefold()] = allowed

    def backup(self) -> Backup:
        """All documents as they stand, for `restore`."""
        return self._documents.backup()

    def restore(self, backup: Backup) -> None:
        """Put a backup back: what was done since is lost, and ids and numbers run from there again."""
        self._documents.restore(backup)

    @contextmanager
    def late(self, seconds: float) -> Iterator[None]:
        """What is done inside is dated now but seen only `seconds` later, as from a long transaction."""
        with self._documents.late(seconds):
            yield

    # The people

    @property
    def authorised(self) -> set[str] | None:
        """The accounts beside the integration's that may log in with its application; None: all of them."""
        return self.gate.authorised

    @authorised.setter
    def authorised(self, accounts: set[str] | None) -> None:
        self.gate.authorised = accounts

    def define_form(self, form: Form) -> None:
        """Install a form, e.g. `Form.parse("X_Bill", "FBillNo FDocumentStatus FSum:amount", {"FEntity": "FNote"})`."""
        self._tables.define(form)

    def add_user(self, account: str, name: str, mobile: str | None = None, job_number: str | None = None) -> int:
        """A user and the employee that it is linked to; the user's id."""
        employee = self.create("BD_Empinfo", job_number, "C", FName=name, FStaffNumber=job_number, FMobile=mobile)
        person = {"id": int(employee) + 900_000, "FNumber": job_number, "FName": name}
        self.write_back("BD_Empinfo", employee, FPersonID=person)
        return int(self.create("SEC_User", account, FName=name, FLinkObject=person))

    def create(
        self,
        form: str,
        number: str | None = None,
        status: str = "A",
        creator: int | None = None,
        entries: Entries = (),
        **fields: Any,
    ) -> Id:
        """A new document in any status; its id. Without a number it gets the next one."""
        user = self.user if creator is None else creator
        return self._documents.create(
            self._tables.form(form), int(user), number=number, status=status, entries=entries, fields=fields
        )

    def load(self, form: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Many new documents at once, each a mapping by key with its entry rows under "entries"; dates as given."""
        self._documents.load(self._tables.form(form), rows)

    def edit(
        self, form: str, doc_id: Id, *, by: int | None = None, entries: Entries | None = None, **fields: Any
    ) -> None:
        """Change and save a document that is not approved; entry rows that are given replace those that stand."""
        stamp = self._documents.stamp(int(by or self.user))
        self._documents.edit(self._tables.form(form), doc_id, stamp, fields=fields, entries=entries)

    def write_back(self, form: str, doc_id: Id, *, entries: Entries | None = None, **fields: Any) -> None:
        """Change columns as a downstream document does, in any status; no date moves."""
        self._documents.edit(self._tables.form(form), doc_id, None, fields=fields, entries=entries)

    def document(self, form: str, doc_id: Id) -> dict[str, Any]:
        """A document by key: base data as {"id": …} or None, amounts as Decimal, dates as text, rows as "entries"."""
        return self._documents.shown(self._tables.form(form), doc_id)

    def documents(self, form: str) -> list[dict[str, Any]]:
        """All documents of a form in order of their ids."""
        self._documents.settle()
        return [self.document(form, doc_id) for doc_id in self._tables.ids(self._tables.form(form))]

    def attachments(self, form: str, doc_id: Id) -> dict[str, bytes]:
        """The files that hang on a document, by name."""
        return self._attachments.of(self._tables.form(form), doc_id)

    def _active_user(self, account: str) -> int | None:
        for doc_id in self._tables.ids(self._tables.form("SEC_User"), account):
            user = self.document("SEC_User", doc_id)
            if user["FUserAccount"] == account and user["FForbidStatus"] == "A":
                return int(doc_id)
        return None

    def _welcome(self, session: Session) -> dict[str, Any]:
        user = self.document("SEC_User", session.user)
        return welcome(
            session,
            user,
            self.data_centre,
            self.timezone,
            self._documents.now(),
            warning=self.login_warning,
        )
