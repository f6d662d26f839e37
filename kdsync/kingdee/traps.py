"""Every way Kingdee is known to say no, in one table; the first row that matches decides.

Kingdee answers nearly all failures with HTTP 200, its MsgCode is often a plain 0, and the same number means different
things; so the rows look at texts before numbers. Sources: the MsgCode table of the in-product WebAPI help pages, the
V6.0 WebAPI manual, the official Python SDK 8.2.0, and bodies that integrators captured and published.
"""

from __future__ import annotations

from typing import NamedTuple

from kdsync.errors import FailureKind

T = FailureKind.TRANSIENT
L = FailureKind.RATE_LIMITED
S = FailureKind.SESSION_LOST
R = FailureKind.REFUSED
C = FailureKind.CONFIGURATION
U = FailureKind.UNKNOWN_OUTCOME


class Trap(NamedTuple):
    """One row. `match` is a regular expression: of the whole value, but anywhere in `TEXTS`."""

    on: str  # an attribute of Symptom
    match: str
    kind: FailureKind
    code: str  # "" stands for the matched value
    message: str
    cure: str = ""
    write: FailureKind | None = None  # where a write that fails like this is another kind


TEXTS = ("text", "way_in")
CHECK_LOGIN = (
    "compare app_id and app_secret with Kingdee's third-party login authorisation (第三方系统登录授权), which must be "
    "enabled and list this user or allow all; after a restore of the account set it has to be granted anew"
)
LICENCE = "ask the Kingdee administrator for a licence for this user, or to end sessions that hold one"
WRONG, CORRECT = (
    "user or password is wrong",
    "correct it and restart kdsync; five wrong tries lock the account, so it makes two an hour and four in all",
)
CHECK_URL = "check kingdee.url; it ends with /K3Cloud/"
TRY_LATER = "kdsync tries again by itself"
CUT_OFF = f"{TRY_LATER}; if it stays, a firewall, proxy or load balancer on the way ends connections: ask who runs them"
WEB_SITE = f"{TRY_LATER}; if it stays, have Kingdee's web site (IIS application pool) and the proxy before it looked at"
SERVER_LOG = f"{TRY_LATER}; if it stays, ask the Kingdee administrator: the server's log says why"
DATABASE = f"{TRY_LATER}; if it stays, ask the Kingdee administrator to look at the database (locks, disk)"

# fmt: off
TRAPS: tuple[Trap, ...] = (  # one row, one or two lines
    Trap("gateway", "4002", C, "", "the gateway got no application id", "set kingdee.app_id"),
    Trap("gateway", "4006", T, "", "the gateway finds the time stamp expired", "let NTP set this machine's clock"),
    Trap("gateway", "5001", C, "", "the gateway does not know this service", CHECK_URL),
    Trap("msgcode", "1", S, "", "the session is lost", "if this stays, " + CHECK_LOGIN),
    Trap("text", "时间戳验证失败", C, "time-stamp",
         "the time stamp of the login was refused",
         "let NTP set the clocks of this machine and of the Kingdee server; the authorisation's “link valid time” is "
         "how many minutes they may differ"),
    Trap("text", r"(?i)fail to verify ?thirty ?passport", C, "third-party",
         "the third-party login authorisation is missing, disabled or does not fit", CHECK_LOGIN + "; check acct_id"),
    Trap("text", r"(?i)fail to RestoreSessionByApi", C, "user",
         "Kingdee cannot open a session for this user",
         "check kingdee.username letter by letter (a Chinese name, in UTF-8), that the user is not disabled, and is in "
         "the authorisation's list of users"),
    Trap("text", r"(?i)not from API GateWay", C, "forced-gateway",
         "this server only accepts calls through the gateway",
         "ask for the server parameter CDPIsForcedApiGW to be switched off, or set kingdee.url to the gateway"),
    Trap("way_in", r"(?i)签名|signature|\bsign\b", C, "sign", "the signature was refused", CHECK_LOGIN),
    Trap("text", r"401 Forbidden ByRspRetStatusCode", S, "N001",
         "Kingdee turns the call away",
         "an expired password looks like this: change it in Kingdee and in the configuration"),
    Trap("text", r"403 Forbidden ByRspRetStatusCode", S, "N001",
         "Kingdee sees no session in the call", "if this stays, check that the user may log in"),
    Trap("text", r"会话信息已丢失", S, "session", "the session is lost", "if this stays, " + CHECK_LOGIN),
    Trap("way_in", r"(用户|账号|帐号).{0,20}锁定", C, "account-locked",
         "the Kingdee account is locked", "unlock it in Kingdee, and correct kingdee.password before the next start"),
    Trap("text", r"CheckPasswordPolicy", C, "password-expired",
         "the password has expired", "change the password in Kingdee"),
    Trap("text", r"showConfirm|拦截规则", R, "request-filter",
         "the server's request filter blocked the request",
         "ask the Kingdee administrator to exempt the WebAPI, or write the filter without < ( and HTML"),
    Trap("text", r"元数据中标识为.{1,100}?的字段不存在", R, "9",
         "the form does not have this field", "correct the key in the rules; kdsync check --live lists them"),
    Trap("text", r"标识为.{1,100}?的业务对象不存在", R, "unknown-form",
         "the form does not exist or its module is not installed", "correct the form id in the rules"),
    Trap("text", r"GetRealExpress", R, "bad-filter",
         "Kingdee cannot read the filter", "correct the form's open filter"),
    Trap("text", r"业务操作.{0,200}冲突|稍候再使用|稍后再使用|正在使用|单据已被锁定", T, "edit-lock",
         "somebody has the document open", TRY_LATER),
    Trap("text", r"没有任务处理权限|不是待办任务的处理人", R, "not-assignee", "the task waits for somebody else"),
    Trap("text", r"已关联工作流实例", R, "in-workflow", "the document is in a workflow", "approve the task instead"),
    Trap("text", r"请先提交|尚未提交|未提交", R, "not-submitted", "the document is not submitted yet"),
    Trap("text", r"已审核.{0,4}不允许修改", R, "approved", "an approved document cannot be changed"),
    Trap("text", r"数据才允许提交|已提交|不允许提交|审核中", R, "already-submitted",
         "the document is submitted already"),
    Trap("text", r"已经审核|已审核", R, "already-approved", "the document is approved already"),
    Trap("text", r"唯一", R, "duplicate", "the number is taken"),
    Trap("text", r"必填|不能为空", R, "required", "a required field is empty"),
    Trap("way_in", r"(?i)许可|licen[cs]e", C, "licence",
         "Kingdee's licence does not allow it", LICENCE),
    Trap("text", r"许可(?!证)", C, "licence",  # of a 许可证, a permit, documents speak, too
         "Kingdee's licence does not allow it", LICENCE),
    Trap("text", r"没有.{0,30}权限|无权限|权限不足", C, "permission",
         "the Kingdee user may not do this", "grant the user the right in Kingdee"),
    Trap("text", r"(?i)未将对象引用设置到对象的实例|object reference not set|service method not found",
         T, "null-reference", "Kingdee failed inside", SERVER_LOG, write=U),
    Trap("text", r"^response_error:", T, "response-error", "Kingdee failed inside", SERVER_LOG, write=U),
    Trap("text", r"(?i)timeout expired|超时时间已到|执行超时", T, "database-timeout",
         "Kingdee's database took too long", DATABASE, write=U),
    Trap("msgcode", "2", C, "", "the Kingdee user may not do this", "grant the user the right in Kingdee"),
    Trap("msgcode", "3|5|8", R, "", "Kingdee misses something in the request", "please report this"),
    Trap("msgcode", "6", T, "", "Kingdee's database failed", DATABASE),
    Trap("msgcode", "7", C, "",
         "Kingdee's licence does not allow it", LICENCE),
    Trap("msgcode", "9", R, "", "a field or value does not exist", "compare the keys in the rules with the form"),
    Trap("msgcode", "10", R, "", "nothing matches"),
    Trap("msgcode", "11", R, "", "Kingdee's validation failed"),
    Trap("msgcode", "12", R, "", "the document cannot be operated on now"),
    Trap("msgcode", "13", T, "", "somebody has the document open", TRY_LATER),
    Trap("msgcode", "14", L, "", "Kingdee's call limit is reached", "poll less often or ask for a higher limit"),
    Trap("msgcode", "15", C, "", "an administrator may not use the WebAPI", "give kdsync a user of its own"),
    Trap("text", r"(?i)死锁|deadlock", T, "deadlock", "another transaction was in the way", DATABASE),
    Trap("way_in", r"数据中心.{0,10}(停用|停止|禁用|未启用)", C, "account-set-stopped",
         "the account set is stopped", "have it started in Kingdee's management centre (管理中心)"),
    Trap("way_in", r"数据中心", C, "account-set",
         "there is no such account set", "check kingdee.acct_id against the management centre's list (管理中心)"),
    Trap("login", "0", C, "login-0", WRONG, CORRECT),
    Trap("way_in", r"(?i)密码.{0,4}(错误|不正确|有误)|\b(wrong|incorrect|invalid)\b.{0,20}\bpassword|"
         r"\bpassword\b.{0,20}\b(wrong|incorrect|invalid)", C, "login-0", WRONG, CORRECT),
    Trap("login", "-3", C, "login-3", "the password must be changed first", "change the password in Kingdee"),
    Trap("login", "-6", C, "login-6", "the cloud account is not bound", "bind it in Kingdee"),
    Trap("login", "-7", C, "login-7", "the product or user needs activation", "activate it in Kingdee"),
    Trap("http", "30[1-8]", C, "", "the address redirects elsewhere", "write the final address into kingdee.url"),
    Trap("http", "404|405", C, "", "there is no such service at this address", CHECK_URL),
    Trap("http", "401|403", C, "",
         "the server or a proxy before it turns the call away", "ask who runs it to admit this machine"),
    Trap("http", "407", C, "", "the proxy wants a login",
         "put it into HTTPS_PROXY: http://user:password@proxy:port"),
    Trap("http", "400|411|413|414|415|431", R, "", "the server does not accept the request", "please report this"),
    Trap("http", "429", L, "", "the server asks for fewer calls", TRY_LATER),
    Trap("http", "408|5(?!19)..", T, "", "the server or a proxy before it failed", WEB_SITE, write=U),
    Trap("fault", "dns", T, "", "the server's name cannot be resolved", "check kingdee.url and this machine's DNS"),
    Trap("fault", "refused", T, "",
         "nothing listens at the server's address", "check kingdee.url, the firewall and that Kingdee runs"),
    Trap("fault", "connect-timeout", T, "",
         "the server cannot be reached in time", "check the network and the firewall"),
    Trap("fault", "proxy", T, "",
         "the proxy cannot be reached or does not let us through", "check HTTPS_PROXY and NO_PROXY"),
    Trap("fault", "certificate", C, "",
         "the server's certificate is not trusted",
         "kdsync doctor says what is wrong with it; where your own authority signed it, set kingdee.ca_file"),
    Trap("fault", "tls", T, "",
         "the encrypted connection failed", "check that kingdee.url is https only where the server is", write=U),
    Trap("fault", "address", C, "",
         "the address or the certificate file cannot be used", "check kingdee.url, kingdee.ca_file and HTTPS_PROXY"),
    Trap("fault", "timeout", T, "",
         "the server did not answer in time", "raise kingdee.timeout if this stays", write=U),
    Trap("fault", "cut", T, "", "the connection broke", CUT_OFF, write=U),
    Trap("fault", "too-large", R, "", "the answer is larger than kdsync accepts", "ask for fewer fields", write=U),
    Trap("fault", "html", T, "",
         "a web page came instead of an answer", CHECK_URL + "; a proxy's login page looks like this too", write=U),
    Trap("fault", "empty", T, "", "the answer is empty", WEB_SITE, write=U),
    Trap("fault", "not-json", T, "", "the answer is not JSON or is cut off", CUT_OFF, write=U),
    Trap("fault", "shape", R, "", "the answer has an unexpected shape", "please report this", write=U),
)
# fmt: on
