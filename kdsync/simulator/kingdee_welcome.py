"""The answer to a login that succeeded; its keys are those of a public capture of version 9.0.553.10.

Of a licence that ends soon speaks the README of a public .NET client: the session then comes in the cookies only.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from kdsync.simulator.kingdee_login import Session

TICKS = 10_000_000  # a .NET tick is 100 ns
Warned = Literal["", "password", "licence"]
WARNINGS: Mapping[Warned, Mapping[str, Any]] = {
    "": {},
    "password": {"MessageCode": "CheckPasswordPolicy"},
    "licence": {
        "LoginResultType": -5,
        "Message": "您的产品许可还剩3天到期",
        "KDSVCSessionId": None,
        "FormId": "BOS_CloudInspection",
    },
}
"""What a login may be told that is good all the same."""


def welcome(
    session: Session, user: Mapping[str, Any], centre: tuple[str, str], timezone: str, now: datetime, *, warning: Warned
) -> dict[str, Any]:
    """`user` is the document of SEC_User, `centre` id and name of the account set."""
    offset = now.astimezone(ZoneInfo(timezone)).utcoffset() or timedelta()
    zone = {"OffsetTicks": int(offset.total_seconds()) * TICKS, "StandardName": timezone}
    context = {
        "UserLocale": "zh-CN",
        "LogLocale": "zh-CN",
        "DBid": centre[0],
        "DatabaseType": 3,
        "SessionId": session.sid,
        "UseLanguages": [{"LocaleId": 2052, "LocaleName": "中文(简体)", "Alias": "CN"}],
        "UserId": session.user,
        "UserName": user["FName"],
        "CustomName": "kdsync",
        "DisplayVersion": "9.0.553.10",
        "DataCenterName": centre[1],
        "UserToken": session.sid,
        "CurrentOrganizationInfo": {"ID": 1, "AcctOrgType": "1", "Name": "kdsync", "FunctionIds": []},
        "ClientType": 32,
        "UTimeZone": zone,
        "STimeZone": zone,
        "IsDeployAsPublicCloud": False,
    }
    return {
        "Message": None,
        "MessageCode": None,
        "LoginResultType": 1,
        "Context": context,
        "KDSVCSessionId": session.sid,
        "FormId": None,
        "RedirectFormParam": None,
        "FormInputObject": None,
        "ErrorStackTrace": None,
        "Lcid": 2052,
        "AccessToken": None,
        "CustomParam": None,
        "KdAccessResult": None,
        "IsSuccessByAPI": True,
        **WARNINGS[warning],
    }
