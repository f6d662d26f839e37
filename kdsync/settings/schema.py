"""The shape of the YAML files an operator owns. These models are the validation, the JSON Schema and the settings.

Durations become seconds (float); secrets become `SecretStr`, read through the validation context (`secrets.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from kdsync.model import Priority
from kdsync.rules.recipients import Recipient, parse_recipient
from kdsync.settings.values import duration, resolve_secret, times_of_day, zone

Seconds = Annotated[float, BeforeValidator(duration)]
Secret = Annotated[SecretStr, BeforeValidator(resolve_secret)]
Zone = Annotated[ZoneInfo, BeforeValidator(zone)]
Hours = Annotated[tuple[int, int], BeforeValidator(times_of_day)]  # minutes after midnight, from and to


def _recipient(value: Any) -> Recipient:
    if not isinstance(value, str):
        raise ValueError("a recipient is text, such as role:cashier")  # noqa: TRY004  # pydantic wants ValueError
    return parse_recipient(value)


RecipientText = Annotated[Recipient, BeforeValidator(_recipient)]


class Section(BaseModel):
    """A mapping in a YAML file: unknown keys are errors, nothing is guessed from another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class KingdeeSection(Section):
    url: str
    acct_id: str
    username: str
    app_id: str = ""
    app_secret: Secret | None = None
    auth: Literal["sign", "secret", "headers", "password"] = "sign"
    password: Secret | None = None
    lcid: int = 2052
    org: int = 0
    timezone: Zone = Field(default_factory=lambda: ZoneInfo("Asia/Shanghai"), validate_default=False)
    ca_file: Path | None = None
    timeout: Seconds = 30.0


class GroupRobot(Section):
    token: Secret
    secret: Secret | None = None


class DingTalkSection(Section):
    api_url: str = "https://api.dingtalk.com"
    oapi_url: str = "https://oapi.dingtalk.com"
    client_id: str
    client_secret: Secret
    agent_id: int
    robot_code: str = ""  # empty: client_id
    stream: bool = True
    monthly_calls: int = Field(default=5000, gt=0)
    groups: Mapping[str, GroupRobot] = {}


class StoreSection(Section):
    url: str = "sqlite:////var/lib/kdsync/kdsync.db"
    key: Secret | None = None


class PollSection(Section):
    interval: Seconds = 10.0
    lookback: Seconds = 300.0
    sweep: Seconds = 15.0
    reconcile: Seconds = 21600.0


class FormSection(Section):
    mode: Literal["dates", "full"] | None = None  # None: as the form has it
    interval: Seconds | None = None
    open: str | None = None


class CalendarSection(Section):
    country: Literal["CN", "VN"] = "CN"
    hours: Hours = (540, 1080)
    quiet: Hours | None = None


class MainFile(Section):
    """`kdsync.yaml`."""

    kingdee: KingdeeSection
    dingtalk: DingTalkSection
    store: StoreSection = StoreSection()
    poll: PollSection = PollSection()
    forms: Mapping[str, FormSection] = {}
    listen: str = "127.0.0.1:9464"
    rules: tuple[str, ...] = ("rules/*.yaml",)
    directory: str | None = None
    fallback: tuple[RecipientText, ...] = Field(min_length=1)
    calendar: CalendarSection = CalendarSection()


class Directory(Section):
    """`directory.yaml`."""

    match: tuple[Literal["mobile", "job_number"], ...] = ("mobile",)
    users: Mapping[str, str] = {}
    roles: Mapping[str, tuple[RecipientText, ...]] = {}
    locales: Mapping[str, Literal["zh", "en", "vi"]] = {}


class MessageSection(Section):
    """What is sent. Each template is one text, or one text a locale."""

    title: str | Mapping[Literal["zh", "en", "vi"], str]
    body: str | Mapping[Literal["zh", "en", "vi"], str] = ""
    link: str = ""  # a template too: makes the message a card with one button
    fields: Mapping[str, str] = {}  # label: template; makes the message a form of up to six rows


class RuleSection(Section):
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    form: str
    on: tuple[str | Mapping[str, Any], ...] = Field(min_length=1)  # triggers; see kdsync/rules/triggers.py
    when: str | None = None
    to: tuple[RecipientText, ...] = Field(min_length=1)
    priority: Priority = Priority.NORMAL
    message: MessageSection
    mode: Literal["live", "shadow"] = "live"


class RuleFile(Section):
    """One file of `rules/`."""

    rules: tuple[RuleSection, ...] = ()


class Settings(Section):
    """Everything an operator configured, checked and resolved."""

    main: MainFile
    directory: Directory
    rules: tuple[RuleSection, ...]
    base: Path  # the folder of kdsync.yaml
    listen: tuple[str, int] | None
