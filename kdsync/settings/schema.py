"""The shape of the YAML files an operator owns. These models are the validation, the JSON Schema and the settings.

Durations become seconds (float); secrets become `SecretStr`, read through the validation context (`secrets.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, SecretStr

from kdsync.rules.schema import RecipientText, RuleSection, Section
from kdsync.settings.values import duration, resolve_secret, times_of_day, zone

Seconds = Annotated[float, BeforeValidator(duration)]
Secret = Annotated[SecretStr, BeforeValidator(resolve_secret)]
Zone = Annotated[ZoneInfo, BeforeValidator(zone)]
Hours = Annotated[tuple[int, int], BeforeValidator(times_of_day)]  # minutes after midnight, from and to


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
