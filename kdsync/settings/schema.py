"""The shape of the YAML files an operator owns. These models are the validation, the JSON Schema and the settings.

Durations become seconds (float); secrets become `SecretStr`, read through the validation context (`secrets.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator, SecretStr, WithJsonSchema

from kdsync.rules.actions import ActionSection
from kdsync.rules.durations import Seconds, between
from kdsync.rules.intake import IntakeSection
from kdsync.rules.schema import RecipientText, RuleSection, Section
from kdsync.settings.values import (
    HOURS,
    database,
    existing_file,
    flag,
    listen_text,
    organisation,
    resolve_secret,
    times_of_day,
    web_address,
    written_times,
    zone,
)

SECRET_SCHEMA = {
    "oneOf": [
        {
            "type": "object",
            "properties": {way: {"type": "string", "minLength": 1, "description": told}},
            "required": [way],
            "additionalProperties": False,
        }
        for way, told in (
            ("env", "the name of an environment variable"),
            ("file", "a file, relative to kdsync.yaml"),
            ("credential", "a file in $CREDENTIALS_DIRECTORY, which systemd provides"),
        )
    ]
}

Interval = Annotated[Seconds, AfterValidator(between("1s", "30s"))]
Span = Annotated[Seconds, AfterValidator(between("1s", "31d"))]
Secret = Annotated[SecretStr, PlainValidator(resolve_secret), WithJsonSchema(SECRET_SCHEMA)]
Zone = Annotated[ZoneInfo, PlainValidator(zone), WithJsonSchema({"type": "string", "examples": ["Asia/Shanghai"]})]
Hours = Annotated[
    tuple[int, int],
    PlainValidator(times_of_day),  # minutes after midnight, from and to
    PlainSerializer(written_times),
    WithJsonSchema({"type": "string", "pattern": f"^{HOURS}$", "examples": ["09:00-18:00"]}),
]
Flag = Annotated[bool, BeforeValidator(flag), WithJsonSchema({"enum": [True, False, "on", "off", "yes", "no"]})]
Organisation = Annotated[
    str, PlainValidator(organisation), WithJsonSchema({"type": ["string", "integer"], "examples": ["101.1"]})
]
Url = Annotated[str, AfterValidator(web_address)]
ExistingFile = Annotated[Path, PlainValidator(existing_file), WithJsonSchema({"type": "string", "format": "path"})]
Text = Annotated[str, Field(min_length=1)]
FormId = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")]
Locale = Literal["zh", "en", "vi"]


class KingdeeSection(Section):
    """The Kingdee Cloud Xingkong server and the integration user that reads it."""

    url: Annotated[Url, Field(examples=["https://erp.example.com/K3Cloud/"])]
    """The product's address; https, or http inside a private network."""
    acct_id: Annotated[Text, Field(examples=["65a1b2c3d4e5f6"])]
    """The id of the account set (data centre)."""
    username: Annotated[Text, Field(examples=["kdsync"])]
    """The Kingdee user whose permissions decide what kdsync sees."""
    app_id: Annotated[str, Field(examples=["224551_abcdefghijklmnopqrstuvwxyz012345"])] = ""
    """The application id of the third-party login authorisation."""
    app_secret: Secret | None = None
    """Its application secret."""
    auth: Literal["sign", "secret", "headers", "password"] = "sign"
    """How to log in: LoginBySign, LoginByAppSecret, signed headers, or ValidateUser."""
    password: Secret | None = None
    """The user's password; for `auth: password` only."""
    act_as: Literal["integration", "person"] = "integration"
    """As whom Kingdee is changed: as this user, or as the Kingdee user who asked for it. The latter takes a third-party
    login authorisation that covers them."""
    lcid: int = 2052
    """The language of the session: 2052 simplified Chinese, 1033 English, 3076 traditional Chinese."""
    org: Organisation = ""
    """The number of the organisation to work in, in quotes; 0 is the user's own."""
    timezone: Zone = Field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    """The zone that the server's dates are in; Asia/Shanghai unless written."""
    ca_file: ExistingFile | None = None
    """A PEM file with the authority that signed the server's certificate, where it is the company's own."""
    timeout: Annotated[Seconds, AfterValidator(between("100ms", "10m"))] = 30.0
    """How long one answer may take."""


class GroupRobot(Section):
    """A group's robot, reached by its webhook."""

    token: Secret
    """The access_token in the webhook's address."""
    secret: Secret | None = None
    """The robot's signing secret (SEC…), where signing is on."""
    keyword: Annotated[str, Field(min_length=1, max_length=100, examples=["付款"])] | None = None
    """One of the robot's keywords, where it has any; it is put below messages that lack it."""


class DingTalkSection(Section):
    """The DingTalk application that sends."""

    api_url: Url = "https://api.dingtalk.com"
    """Another value is for a proxy or a test."""
    oapi_url: Url = "https://oapi.dingtalk.com"
    """Another value is for a proxy or a test."""
    client_id: Annotated[Text, Field(examples=["dingabcdef"])]
    """The application's Client ID (AppKey)."""
    client_secret: Secret
    """The application's Client Secret (AppSecret)."""
    agent_id: Annotated[int, Field(gt=0, examples=[123456789])]
    """The application's AgentId."""
    robot_code: str = ""
    """The robot's code; empty: client_id."""
    card_template: Annotated[
        str, Field(pattern=r"^$|^\S+\.schema$", examples=["2c7ba0f1-1f0e-4a4e-9a52-1f6a7d0c9b11.schema"])
    ] = ""
    """The id of the published card template (config/cards/decision.json); empty: messages say what to reply."""
    stream: Flag = True
    """Two-way by DingTalk's Stream; off: notifications only."""
    monthly_calls: Annotated[int, Field(gt=0)] = 5000
    """How many calls a month the organisation's plan leaves to kdsync."""
    groups: Mapping[Text, GroupRobot] = {}
    """Group robots by the name that `group:NAME` uses."""


class StoreSection(Section):
    """Where kdsync keeps what it has seen and what it still has to send."""

    url: Annotated[str, AfterValidator(database), Field(examples=["sqlite:////var/lib/kdsync/kdsync.db"])] = (
        "sqlite:////var/lib/kdsync/kdsync.db"
    )
    """A SQLite file; one written with three slashes is relative to kdsync.yaml."""
    key: Secret | None = None
    """Encrypts documents and messages in the store; one-time codes (`above: totp`) take it."""


class PollSection(Section):
    """How often Kingdee is asked."""

    interval: Interval = 10.0
    """Between two looks at the newest dates: 1s to 30s."""
    lookback: Span = 300.0
    """How far behind the newest date each look reaches again."""
    sweep: Span = 15.0
    """Between two looks at the documents that are still open."""
    reconcile: Span = 21600.0
    """Between two comparisons of all keys, which find deletions and anything missed."""


class FormSection(Section):
    """What differs for one form from the defaults."""

    mode: Literal["dates", "full"] | None = None
    """`full` compares every document each time, for forms without dates; unset: as the form has it."""
    interval: Interval | None = None
    """Instead of poll.interval: 1s to 30s."""
    open: Annotated[str | None, Field(examples=["FWRITTENOFFSTATUS <> 'C'"])] = None
    """A Kingdee filter: which approved documents are still alive."""


class CalendarSection(Section):
    """When people work, and when they sleep."""

    country: Literal["CN", "VN"] = "CN"
    """Whose holidays count; nothing depends on it in this version."""
    hours: Hours = (540, 1080)
    """Working hours; nothing depends on them in this version."""
    quiet: Hours | None = None
    """When messages of low and normal priority wait; in Kingdee's time zone."""


class MainFile(Section):
    """kdsync.yaml: connections, store and polling."""

    kingdee: KingdeeSection
    """The Kingdee server."""
    dingtalk: DingTalkSection
    """The DingTalk application."""
    store: StoreSection = StoreSection()
    """The database."""
    poll: PollSection = PollSection()
    """The times between two looks at Kingdee."""
    forms: Mapping[FormId, FormSection] = {}
    """What differs for single forms, by form id."""
    listen: Annotated[str, AfterValidator(listen_text), Field(examples=["127.0.0.1:9464"])] = "127.0.0.1:9464"
    """Where /metrics and /health answer; empty: nowhere."""
    rules: tuple[Text, ...] = ("rules/*.yaml",)
    """The rule files, relative to kdsync.yaml; * stands for any name."""
    directory: Text | None = None
    """The file with people and roles, relative to kdsync.yaml."""
    fallback: Annotated[tuple[RecipientText, ...], Field(min_length=1, examples=[["user:ops1"]])]
    """Who gets what has no reachable recipient."""
    calendar: CalendarSection = CalendarSection()
    """Quiet hours; working hours and holidays are for later versions."""

    def of_form(self, form: str) -> FormSection:
        """What differs for a form, which is the same in any case."""
        return next((section for name, section in self.forms.items() if name.lower() == form.lower()), FormSection())


class Directory(Section):
    """directory.yaml: people and roles."""

    match: tuple[Literal["mobile", "job_number"], ...] = ("mobile",)
    """What tells that a Kingdee user or employee is a DingTalk user, in this order."""
    users: Annotated[Mapping[Text, Text], Field(examples=[{"zhangsan": "user7"}])] = {}
    """Kingdee account: DingTalk userid; wins over matching."""
    roles: Annotated[Mapping[Text, tuple[RecipientText, ...]], Field(examples=[{"cashier": ["user:user3"]}])] = {}
    """Role: who has it; for `role:NAME` in rules."""
    locales: Annotated[Mapping[Text, Locale], Field(examples=[{"user7": "vi"}])] = {}
    """DingTalk userid: language; zh unless written."""
    departments: Annotated[Mapping[Text, Text], Field(examples=[{"523467": "BM000012"}])] = {}
    """Id of a DingTalk department: number of the department in Kingdee; others are found by their name."""

    def locale_of(self, userid: str) -> str:
        """What language somebody reads."""
        return self.locales.get(userid, "zh")


class RuleFile(Section):
    """One file of rules, of the actions that they offer, and of what becomes of approvals."""

    rules: tuple[RuleSection, ...] = ()
    """The rules."""
    actions: tuple[ActionSection, ...] = ()
    """What people may answer."""
    intake: tuple[IntakeSection, ...] = ()
    """Which approvals of DingTalk become documents in Kingdee."""


class Settings(Section):
    """Everything an operator configured, checked and resolved."""

    main: MainFile
    directory: Directory
    rules: tuple[RuleSection, ...]
    base: Path  # the folder of kdsync.yaml
    listen: tuple[str, int] | None
