"""What DingTalk's refusals mean: one table for both of its envelopes and for what happens to connections.

The old host answers HTTP 200 with `errcode` (and `sub_code` where it is 88), the new one HTTP 4xx with `code`, a word.
Sources: "Global error codes", "Call limits", "Custom robot", "Asynchronously send work notifications", "Query user
by mobile", "Create and deliver cards", "Update a card" and those on approvals on open.dingtalk.com, and the pages on
permissions and retries of open-dingtalk/developerpedia.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from kdsync.errors import EdgeError, FailureKind

TRANSIENT = FailureKind.TRANSIENT
RATE_LIMITED = FailureKind.RATE_LIMITED
SESSION_LOST = FailureKind.SESSION_LOST
QUOTA = FailureKind.QUOTA
REFUSED = FailureKind.REFUSED
CONFIGURATION = FailureKind.CONFIGURATION

LONGEST_TEXT = 300  # characters of DingTalk's own words in an error
LONGEST_CODE = 80
ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one code stands for; `pause` is in seconds or lasts to the next full minute.

    `maybe_done`: a call that changes something may have been carried out although it failed so.
    """

    kind: FailureKind
    text: str
    cure: str = ""
    pause: float | Literal["minute"] | None = None
    maybe_done: bool = False


CREDENTIALS = "check dingtalk.client_id and client_secret against the developer console (Credentials)"
PERMISSION = "grant the permission named here to the app in the developer console (Permission management)"
SCOPE = "widen the app's visible scope and its contacts scope in the developer console, then publish a version"
WHITELIST = "add this machine's outgoing address to the app's server IP list in the developer console"
UPGRADE = "wait for the first of the month or buy more calls; dingtalk.monthly_calls should say what the plan allows"
AGENT = "set dingtalk.agent_id to the AgentId that the developer console shows for this app"
GROUP_TOKEN = "put the robot's current token (the part of its webhook after access_token=) under dingtalk.groups"  # noqa: S105  # words
ROBOT = "check dingtalk.robot_code, and that the app's robot is published in the developer console"
KEYWORD = "name it as the group's keyword under dingtalk.groups, or let the robot use signing (加签) instead"
GROUP_SAFETY = "compare the robot's security settings in the group with dingtalk.groups"
NETWORK = "check name resolution, the firewall (*.dingtalk.com:443) and the proxy variables"
HOSTS = "check dingtalk.api_url and dingtalk.oapi_url"
AUTHORITY = "if a proxy opens the connection, make this machine trust the proxy's certificate authority"
RULE = "change what the rule sends"
TEMPLATE = "compare the card template's id with the card platform (open-dev.dingtalk.com/fe/card); publish it there"
MAPPING = "check the person in DingTalk's contacts and in directory.yaml"

BAD_TOKEN = Meaning(SESSION_LOST, "the access token is not valid any more", CREDENTIALS)
TOO_FAST = Meaning(RATE_LIMITED, "too many calls a second", pause=1)
ROBOT_TOO_FAST = Meaning(RATE_LIMITED, "the group robot sent more than 20 messages a minute", pause=600)
BAN = Meaning(RATE_LIMITED, "this address is banned for some minutes, or a gateway sent a web page", NETWORK, 300)
BUSY = Meaning(TRANSIENT, "DingTalk is busy")
TIMED_OUT_INSIDE = Meaning(TRANSIENT, "DingTalk timed out inside", maybe_done=True)
NO_PERMISSION = Meaning(CONFIGURATION, "the app lacks a permission", PERMISSION)
BAD_ADDRESS = Meaning(CONFIGURATION, "this machine's address is not allowed", WHITELIST)
USED_UP = Meaning(QUOTA, "the organisation's calls of this month are used up", UPGRADE)
NOBODY = Meaning(REFUSED, "there is no such person", MAPPING)
UNSAFE = Meaning(REFUSED, "DingTalk refused the content as unsafe", RULE)
NO_CALL = Meaning(CONFIGURATION, "DingTalk does not know this call", f"{HOSTS} and any proxy; a newer kdsync may help")
BAD_INPUT = Meaning(REFUSED, "DingTalk does not accept a parameter")

CARD_PARAMETERS = (
    "param.empty",
    "param.invalid",
    "param.outTrackIdEmpty",
    "param.callbackRouteKeyEmpty",
    "param.cardPublicDataEmpty",
    "param.cardDataAndPrivateDataBothEmpty",
    "param.openSpaceIdEmpty",
    "param.openSpaceIdInvalid",
    "param.openSpaceModelInvalid",
    "param.openDeliverModelEmpty",
    "param.spaceDeliverModelEmpty",
)

NO_PROCESS = Meaning(REFUSED, "there is no such process", "copy its code from the address of the form's design page")
FILE_EXPIRED = Meaning(TRANSIENT, "the address of the file is not good any more")
NO_APPROVAL = ("processInstanceNotExist", "processInstNotExist", "aflowProcessInstNotExist", "instanceNotExist")
CSPACE = ("", "GetCustomSpace", "DentryServiceGrant", "DentryServiceGenerateDownloadPresignedUrl")
APPROVAL_PARAMETERS = (
    "invalidParameter",
    "processInstanceIdError",
    "invalidProcessInstanceId",
    "invalidInstanceId",
    "invalidFileId",
    "invalidProcessCode",
    "processCodeError",
    "processNotExist",
    "invalidInstanceListIdsStartTime",
    "invalidEndTime",
    "invalidNextToken",
    "invalidMaxResults",
    "invalidInstanceCommentText",
    "invalidInstanceCommentUserId",
)

MEANINGS: dict[str, Meaning] = {
    # tokens and credentials
    "40001": BAD_TOKEN,
    "40014": BAD_TOKEN,
    "41001": BAD_TOKEN,
    "42001": BAD_TOKEN,
    "InvalidAuthentication": BAD_TOKEN,
    "http 401": BAD_TOKEN,
    "40089": Meaning(CONFIGURATION, "the app's credentials are wrong", CREDENTIALS),
    "invalidClientIdOrSecret": Meaning(CONFIGURATION, "the app's credentials are wrong", CREDENTIALS),
    "authFailed": Meaning(CONFIGURATION, "the app's credentials are wrong", CREDENTIALS),
    # permissions and scope
    "60011": NO_PERMISSION,
    "43007": NO_PERMISSION,
    "Forbidden.AccessDenied.AccessTokenPermissionDenied": NO_PERMISSION,
    "60020": BAD_ADDRESS,
    "Forbidden.AccessDenied.IpNotInWhiteList": BAD_ADDRESS,
    "50002": Meaning(REFUSED, "a recipient is outside the app's scope, or has left", SCOPE),
    "50004": Meaning(REFUSED, "a department is outside the app's scope", SCOPE),
    "52019": Meaning(CONFIGURATION, "the agent id is not this app's", AGENT),
    "40056": Meaning(CONFIGURATION, "the agent id is not this app's", AGENT),
    # throttling
    **dict.fromkeys(("90002", "90003", "90004", "90005", "90006", "90007", "90008", "90009", "90010"), TOO_FAST),
    **dict.fromkeys(("90011", "90012", "90013", "90014", "90018", "90019", "http 429"), TOO_FAST),
    "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi": TOO_FAST,
    "Forbidden.AccessDenied.QpsLimitForApi": TOO_FAST,
    "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi": Meaning(RATE_LIMITED, "too many calls a minute", pause="minute"),
    "html": BAN,
    "status 1111": BAN,
    # the month's calls
    "90020": USED_UP,
    "Forbidden.AccessDenied.ApiCountLimitForOrg": USED_UP,
    "90030": Meaning(QUOTA, "the organisation's webhook calls of this month are used up", UPGRADE),
    # passing trouble
    "-1": BUSY,
    "34015": BUSY,
    "*.system.busy": BUSY,
    "15": TIMED_OUT_INSIDE,
    "88": TIMED_OUT_INSIDE,  # without a sub_code; with one, that is looked up instead
    "http 503": BUSY,
    "http 5xx": Meaning(TRANSIENT, "DingTalk's server failed", maybe_done=True),
    "malformed": Meaning(TRANSIENT, "the answer is not one of DingTalk's", NETWORK, maybe_done=True),
    # what is wrong with the request itself
    **dict.fromkeys(("22", "404", "InvalidAction.NotFound"), NO_CALL),
    "33012": NOBODY,
    "60121": NOBODY,
    "40104": Meaning(REFUSED, "this is not a mobile number", MAPPING),
    "60003": Meaning(REFUSED, "there is no such department", "check the dept: recipients of the rules"),
    "40035": BAD_INPUT,
    "InvalidParameter": BAD_INPUT,
    "400002": BAD_INPUT,
    "34014": BAD_INPUT,
    "34016": Meaning(REFUSED, "the message is too long", RULE),
    "41052": Meaning(TRANSIENT, "the message is still being sent"),
    "43004": BAD_INPUT,
    # group robots
    "130101": ROBOT_TOO_FAST,
    "302033": ROBOT_TOO_FAST,
    "410100": ROBOT_TOO_FAST,
    "robot/send http 3xx": ROBOT_TOO_FAST,
    "310000": Meaning(CONFIGURATION, "the group robot's security check failed", GROUP_SAFETY),
    "310000 timestamp": Meaning(CONFIGURATION, "the signature is over an hour off", "set this machine's clock (NTP)"),
    "310000 sign": Meaning(CONFIGURATION, "the group robot's secret is wrong", "copy the robot's SEC… secret again"),
    "310000 keyword": Meaning(CONFIGURATION, "the text lacks the robot's keyword", KEYWORD),
    "310000 address": Meaning(CONFIGURATION, "the robot does not take messages from this address", GROUP_SAFETY),
    "300001": Meaning(CONFIGURATION, "there is no such group robot", GROUP_TOKEN),
    "400101": Meaning(CONFIGURATION, "there is no such group robot", GROUP_TOKEN),
    "400102": Meaning(CONFIGURATION, "the group robot is switched off", "switch it on in the group's settings"),
    "400013": Meaning(CONFIGURATION, "the group was dissolved", "remove the group or give it a new robot"),
    "400106": Meaning(CONFIGURATION, "the robot left the group", "add it again, or give the group a new robot"),
    "400105": Meaning(REFUSED, "the robot does not take this type of message"),
    "430101": UNSAFE,
    "430102": UNSAFE,
    "430103": UNSAFE,
    "430104": UNSAFE,
    "460101": Meaning(REFUSED, "the message is over 20,000 bytes", RULE),
    # the app's own robot
    "send.too.fast": TOO_FAST,
    "send.byToken.tooFast": TOO_FAST,
    "staffId.notExisted": NOBODY,
    "too.many.people": BAD_INPUT,
    "invalidParameter.msgParam.tooLong": Meaning(REFUSED, "the message is too long", RULE),
    "robot.oto.notExist": Meaning(CONFIGURATION, "the app has no such robot", ROBOT),
    "chatbotId.notAllow.sendOTO": Meaning(CONFIGURATION, "the robot may not write to single people", ROBOT),
    # interactive cards
    "param.cardAlreadyExist": Meaning(REFUSED, "a card with this outTrackId was sent before"),
    "param.cardNotExist": Meaning(REFUSED, "there is no such card"),
    "param.templateNotExist": Meaning(CONFIGURATION, "there is no such card template", TEMPLATE),
    "param.templateUnpublished": Meaning(CONFIGURATION, "the card template is not published", TEMPLATE),
    "param.cardTemplateIdEmpty": Meaning(CONFIGURATION, "no card template is given", TEMPLATE),
    "param.contentUnsafe": UNSAFE,
    "param.userIdNotExist": NOBODY,
    **dict.fromkeys(CARD_PARAMETERS, BAD_INPUT),
    # answers within a conversation
    "robot/sendBySession 300001": Meaning(REFUSED, "the conversation's address is not valid any more"),
    "robot/sendBySession 400101": Meaning(REFUSED, "the conversation's address is not valid any more"),
    "not dingtalk": Meaning(REFUSED, "the conversation's address does not lead to DingTalk"),
    # approvals
    **dict.fromkeys(NO_APPROVAL, Meaning(REFUSED, "there is no such approval")),
    **dict.fromkeys(("formNotExist", "aflowProcessCodeIsError"), NO_PROCESS),
    **dict.fromkeys(APPROVAL_PARAMETERS, BAD_INPUT),
    "userNotExist": NOBODY,
    "noPermission": NO_PERMISSION,
    "processGetFailedByParameter": NO_PERMISSION,
    "aflowProcessInstCanNotBeExecuted": Meaning(REFUSED, "nothing can be done with this approval any more"),
    **{f"hsfIntegrationErrorCspace{part}": BUSY for part in CSPACE},
    "internalError": TIMED_OUT_INSIDE,
    "systemError": TIMED_OUT_INSIDE,
    "approval form": Meaning(REFUSED, "the form of the approval cannot be read", "report its shape"),
    "not done": Meaning(REFUSED, "DingTalk did not do it, and does not say why"),
    "not dingtalk's": Meaning(REFUSED, "the file is not where DingTalk keeps files"),
    **dict.fromkeys(("approval file http 401", "approval file http 403"), FILE_EXPIRED),
    "approval file http 404": Meaning(REFUSED, "the file is not there any more"),
    "approval file too large": Meaning(REFUSED, "the file is larger than kdsync takes"),
    # the Stream
    "ticket": Meaning(TRANSIENT, "DingTalk did not let the connection in: its ticket is used, or too old", NETWORK),
    "frame": Meaning(TRANSIENT, "what came is not one of DingTalk's frames"),
    # what stands between kdsync and DingTalk
    "http 3xx": Meaning(TRANSIENT, "a proxy or a login page answered in DingTalk's place", NETWORK),
    "http 400": Meaning(TRANSIENT, "a proxy, or a server that wants https, refused the request", NETWORK),
    "http 404": Meaning(CONFIGURATION, "there is no DingTalk at this address", HOSTS),
    "http 407": Meaning(CONFIGURATION, "the proxy wants a password", NETWORK),
    "http 413": Meaning(REFUSED, "the message is too long", RULE),
    "address": Meaning(CONFIGURATION, "the address cannot be used", HOSTS),
    "certificate": Meaning(CONFIGURATION, "DingTalk's certificate cannot be verified", AUTHORITY),
    "too large": Meaning(TRANSIENT, "the answer is larger than any of DingTalk's", NETWORK, maybe_done=True),
    "connect": Meaning(TRANSIENT, "no connection to DingTalk", NETWORK),
    "proxy": Meaning(TRANSIENT, "no connection to DingTalk through the proxy", NETWORK),
    "tls": Meaning(TRANSIENT, "the encrypted connection broke", NETWORK, maybe_done=True),
    "broken": Meaning(TRANSIENT, "the connection broke before the answer", NETWORK, maybe_done=True),
    "timeout": Meaning(TRANSIENT, "DingTalk did not answer in time", NETWORK, maybe_done=True),
    "paced": Meaning(RATE_LIMITED, "kdsync holds back: the group robot may send 20 messages a minute"),
    "unknown group": Meaning(CONFIGURATION, "no such group robot is configured", "add it under dingtalk.groups"),
}


def meaning_of(code: str, api: str) -> Meaning:
    """The row for `code`; codes without one are taken as passing trouble and say so."""
    for key in _candidates(code, api):
        if key in MEANINGS:
            return MEANINGS[key]
    return Meaning(TRANSIENT, "unmapped code of DingTalk", "look the code up on open.dingtalk.com and report it")


def is_known(code: str) -> bool:
    """Whether the table has a row for `code`, whatever the call."""
    return any(key in MEANINGS for key in _candidates(code, ""))


def _candidates(code: str, api: str) -> Iterator[str]:
    names = [code]
    if code.startswith("http "):
        names.append(f"{code[:6]}xx")
    if "/" in code:
        outer, sub = code.split("/", 1)
        names += [sub] if outer == "88" else [outer]
    names.append(f"*.{'.'.join(code.split('.')[-2:])}")
    for name in names:
        yield f"{api} {name}"
        yield name


def failure(
    code: str,
    api: str,
    said: str = "",
    *,
    writes: bool,
    now: datetime,
    hide: Callable[[str], str] = str,
) -> EdgeError:
    """The error for `code`; `said` are DingTalk's own words, `writes` tells that the call changes something.

    `hide` takes the secrets out of a text: what another system answers may repeat them.
    """
    meaning = meaning_of(code, api)
    kind = FailureKind.UNKNOWN_OUTCOME if writes and meaning.maybe_done else meaning.kind
    words = " ".join(hide(said).split())[:LONGEST_TEXT]
    message = f"{meaning.text} ({api}{': ' if words else ''}{words})"
    pause = 60.0 - now.second if meaning.pause == "minute" else meaning.pause
    cure = _with_address(meaning, words)
    return EdgeError("dingtalk", kind, hide(code)[:LONGEST_CODE], message, cure=cure, retry_after=pause)


def _with_address(meaning: Meaning, words: str) -> str:
    """The address to add, where DingTalk names the one that it saw."""
    seen = ADDRESS.search(words) if meaning is BAD_ADDRESS else None
    return f"{meaning.cure}: {seen[0]}" if seen else meaning.cure
