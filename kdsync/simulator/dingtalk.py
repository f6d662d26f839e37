"""A DingTalk to try kdsync against: the open platform's HTTP and Stream interfaces on loopback, and its people.

It is strict where the platform is strict and silent where the platform is silent. `kdsync demo`, `kdsync simulate`
and the tests use it. Todo tasks are not part of it yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from threading import RLock
from types import TracebackType
from typing import Self

from kdsync.clock import Clock
from kdsync.simulator.dingtalk_approvals import Approvals
from kdsync.simulator.dingtalk_cards import Cards
from kdsync.simulator.dingtalk_contacts import ROOT, Company, Contacts, Department, User
from kdsync.simulator.dingtalk_envelopes import Json
from kdsync.simulator.dingtalk_faults import PLACES
from kdsync.simulator.dingtalk_gateway import Gateway, Recorded
from kdsync.simulator.dingtalk_groups import GroupRobot, GroupRobots
from kdsync.simulator.dingtalk_http import HttpServer
from kdsync.simulator.dingtalk_limits import MonthlyAllowance
from kdsync.simulator.dingtalk_manners import Manners
from kdsync.simulator.dingtalk_people import People
from kdsync.simulator.dingtalk_phones import Phones, Seen
from kdsync.simulator.dingtalk_pushes import Push
from kdsync.simulator.dingtalk_robot import AppRobot
from kdsync.simulator.dingtalk_socket import StreamServer
from kdsync.simulator.dingtalk_stream import Stream
from kdsync.simulator.dingtalk_tokens import Tokens
from kdsync.simulator.dingtalk_work import WorkNotifications
from kdsync.simulator.faults import DINGTALK, Faults


class SimulatedDingTalk:
    """One organisation with one app; a context manager. Both hosts are served at `url`.

    `monthly_calls` and `monthly_pushes` are the organisation's plan, `qps` the calls a second for each API;
    `task_seconds` is how long the platform works on a notification before its result can be read.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        client_id: str = "dingsimulatedapp",
        client_secret: str = "simulated-client-secret",  # noqa: S107  # it opens nothing
        agent_id: int = 123456789,
        port: int = 0,
        monthly_calls: int = 5000,
        monthly_pushes: int = 3000,
        qps: int = 20,
        task_seconds: float = 1.0,
        random: Random | None = None,
    ) -> None:
        self._clock = clock
        self._random = random or Random(0)
        self._port = port
        self._lock = RLock()
        self._credentials = (client_id, client_secret)
        self._company = Company()
        self._phones = Phones(clock)
        self.manners = Manners()
        self._calls = MonthlyAllowance(clock, monthly_calls)
        self._pushes = MonthlyAllowance(clock, monthly_pushes)
        self.faults = Faults(DINGTALK, self._random, clock)
        self._tokens = Tokens(clock, self._random, client_id, client_secret)
        self._groups = GroupRobots(clock, self._phones, self._pushes)
        self._stream = Stream(clock, self._random, self._lock, credentials=self._credentials, pushes=self._pushes)
        self._people = People(self._random, self._company, client_id, self.manners)
        self.cards = Cards(self._company, self._phones, self._lock, client_id)
        people = (clock, self._random, self._lock, self._company)
        self.approvals = Approvals(*people, event=self.event, url=lambda: self.url)
        self._gateway = self._build_gateway(qps, agent_id, task_seconds)
        self._http: HttpServer | None = None
        self._socket: StreamServer | None = None

    def _build_gateway(self, qps: int, agent_id: int, task_seconds: float) -> Gateway:
        gateway = Gateway(
            self._clock,
            self._random,
            self._lock,
            tokens=self._tokens,
            faults=self.faults,
            allowance=self._calls,
            qps=qps,
        )
        work = WorkNotifications(self._clock, self._company, self._phones, self.manners, agent_id, task_seconds)
        robot = AppRobot(self._company, self._phones, self._credentials[0])
        shown = (self._groups, self.cards, self.approvals)
        for part in (self._tokens, Contacts(self._company), work, robot, *shown, self._stream):
            gateway.add(part.routes())
        return gateway

    # --- the server

    @property
    def url(self) -> str:
        """Base URL of both hosts, without a slash at its end."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Listen; after a `stop`, again at the same URL and with everything that was known."""
        self._gateway.stopping.clear()
        self._socket = StreamServer(self._stream)
        self._socket.start()
        self._http = HttpServer(self._gateway.respond, self._clock, self.manners, self._port)
        self._port = self._http.port
        self._http.start()
        return self

    def stop(self) -> None:
        """End every connection and stop listening."""
        self._gateway.stopping.set()
        if self._http:
            self._http.stop()
        if self._socket:
            self._socket.stop()
        self._http = self._socket = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- the organisation

    def add_user(
        self,
        userid: str,
        name: str,
        mobile: str | None = None,
        job_number: str | None = None,
        manager: str | None = None,
        *,
        dept_ids: Sequence[int] = (ROOT,),
        in_scope: bool = True,
        leads: Sequence[int] = (),
    ) -> None:
        """Add or replace a person. `in_scope`: the app may see them; `leads`: departments whose leader they are."""
        with self._lock:
            user = User(userid, name, mobile, job_number, manager, tuple(dept_ids), tuple(leads), in_scope)
            self._company.users[userid] = user

    def remove_user(self, userid: str) -> None:
        """Somebody leaves the organisation."""
        with self._lock:
            del self._company.users[userid]

    def add_department(self, dept_id: int, name: str, parent: int = ROOT, in_scope: bool = True) -> None:
        with self._lock:
            self._company.departments[dept_id] = Department(dept_id, name, parent, in_scope)

    def add_group_robot(self, name: str, token: str, secret: str | None = None, keywords: Sequence[str] = ()) -> None:
        """Put a robot with its security settings into the group `name`."""
        with self._lock:
            self._groups.add(token, GroupRobot(name, secret, tuple(keywords)))

    def revoke(self, scope: str) -> None:
        """Take a permission away from the app, such as `qyapi_base` or `qyapi_get_member`."""
        self._gateway.revoked.add(scope)

    def grant(self, scope: str) -> None:
        """Give a revoked permission back."""
        self._gateway.revoked.discard(scope)

    # --- what happened

    def seen(self, userid: str | None = None) -> list[Seen]:
        """What really reached a person or, by its name, a group; everything in order of arrival without a name."""
        with self._lock:
            return self._phones.seen(userid)

    @property
    def on_seen(self) -> Callable[[Seen], None] | None:
        """Called with each message that reaches somebody, while the platform waits: it must not send."""
        return self._phones.on_seen

    @on_seen.setter
    def on_seen(self, callback: Callable[[Seen], None] | None) -> None:
        self._phones.on_seen = callback

    @property
    def calls(self) -> list[Recorded]:
        """Every request, in order."""
        with self._lock:
            return list(self._gateway.record)

    @property
    def accepted(self) -> list[Recorded]:
        """The requests that were carried out, also those whose answer a fault then hid."""
        return [call for call in self.calls if call.ok]

    @property
    def refused(self) -> list[Recorded]:
        """The requests that were not carried out."""
        return [call for call in self.calls if not call.ok]

    @property
    def metered_calls(self) -> int:
        """Calls of this month that count against the plan."""
        return self._calls.spent

    @property
    def metered_pushes(self) -> int:
        """Webhook messages and Stream frames of this month that count against the plan."""
        return self._pushes.spent

    # --- what goes wrong

    def fault(
        self,
        name: str,
        times: int | None = None,
        api: str | None = None,
        seconds: float | None = None,
        probability: float | None = None,
        gap: float = 0.0,
    ) -> None:
        """Let the next `times` requests, or each with a `probability`, meet a fault of `faults.DINGTALK`.

        `api` is any part of the path, such as `asyncsend_v2`.
        """
        if api is None:
            api = PLACES.get(name)
        self.faults.add(name, times=times, probability=probability, seconds=seconds, gap=gap, api=api)

    def clear_faults(self) -> None:
        self.faults.clear()

    def void_token(self) -> None:
        """Make the access token that is out invalid at once."""
        with self._lock:
            self._tokens.void()

    def use_up_month(self) -> None:
        """Leave nothing of the month's metered calls."""
        with self._lock:
            self._calls.use_up()

    # --- people and the platform, over Stream

    def say(self, userid: str, text: str, group: str | None = None) -> Push:
        """Somebody writes to the app's robot, or mentions it in a group. Who is no member has no senderStaffId."""
        with self._lock:
            key = f"{self._random.getrandbits(64):016x}"
            until = self._groups.open_session(key, group or userid)
            webhook = f"{self.url}/robot/sendBySession?session={key}"
            now = self._clock.now()
            return self._stream.push(self._people.message(userid, text, group, now=now, webhook=webhook, until=until))

    def click(self, userid: str, out_track_id: str, action_id: str, params: Json | None = None) -> Push:
        """Somebody clicks a button of a card; `Push.refused` tells that they were shown an error. KeyError: no card."""
        with self._lock:
            push = self._people.click(userid, out_track_id, action_id, params or {})
            return self._stream.push(push) if self.cards.clicked(userid, push) else push

    def event(self, type: str, data: Json) -> Push:  # noqa: A002  # the platform's word
        """Something happens in the organisation, such as user_leave_org."""
        with self._lock:
            return self._stream.push(self._people.event(type, data, self._clock.now()))

    def redeliver(self, push: Push | None = None) -> Push:
        """Push again what was pushed last, or `push`, although it may be answered; the platform does that too."""
        with self._lock:
            push = push or self._stream.pushed[-1]
            self._stream.again(push)
            return push

    def ping(self) -> list[Push]:
        """Ping every connection; the answers are in the result."""
        return self._stream.tell("ping", {"opaque": f"{self._random.getrandbits(64):016x}"})

    def disconnect(self, reason: str = "connection is expired") -> None:
        """Ask every client to reconnect, as the platform does from time to time."""
        self._stream.disconnect(reason)

    def drop(self) -> None:
        """Lose every connection without a word."""
        self._stream.drop()

    def stall(self) -> None:
        """Let the connections of now go deaf while both ends think they are open: only a client's watchdog helps."""
        self._stream.stall()

    @property
    def connections(self) -> list[str]:
        """The names of the open Stream connections that still get deliveries."""
        return [connection.name for connection in self._stream.delivering()]

    def wait_for_connections(self, number: int = 1, seconds: float = 5.0) -> bool:
        """Wait in real time until so many clients are connected; tell whether they are."""
        return self._stream.wait_for(number, seconds)
