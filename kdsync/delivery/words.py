"""What kdsync itself says to people, in the three languages; everything else a recipient reads is the operator's."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from kdsync.delivery import escaping
from kdsync.delivery.code_replies import CODE_REPLIES
from kdsync.delivery.intakes import INTAKES
from kdsync.delivery.lines import LINES
from kdsync.delivery.replies import REPLIES
from kdsync.delivery.right_replies import RIGHT_REPLIES
from kdsync.delivery.unusual import UNUSUAL
from kdsync.model import Status, Transition

LOCALES = ("zh", "en", "vi")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

WORDS: dict[str, tuple[str, str, str]] = {
    # Status and transitions of documents
    "status_Z": ("暂存", "Draft", "Bản nháp"),
    "status_A": ("创建", "Created", "Đã tạo"),
    "status_B": ("审核中", "In approval", "Đang duyệt"),
    "status_C": ("已审核", "Approved", "Đã duyệt"),
    "status_D": ("重新审核", "Sent back", "Bị trả lại"),
    "created": ("已创建", "created", "đã tạo"),
    "submitted": ("已提交", "submitted", "đã trình"),
    "approved": ("已审核", "approved", "đã duyệt"),
    "rejected": ("已驳回", "rejected", "bị từ chối"),
    "unapproved": ("已反审核", "approval withdrawn", "đã hủy duyệt"),
    "voided": ("已作废", "voided", "đã hủy bỏ"),
    "closed": ("已关闭", "closed", "đã đóng"),
    "deleted": ("已删除", "deleted", "đã xóa"),
    "changed": ("已变更", "changed", "đã thay đổi"),
    "assigned": ("待审批", "waits for somebody", "chờ duyệt"),
    # Parts of messages
    "yes": ("是", "yes", "có"),
    "no": ("否", "no", "không"),
    "comma": ("、", ", ", ", "),
    "open": ("查看详情", "Open", "Xem chi tiết"),
    "undeliverable": (
        "以下消息未能送达全部接收人：{reason}",
        "This could not be delivered to everybody it was meant for: {reason}",
        "Không gửi được tới tất cả người nhận: {reason}",
    ),
    # Notices to the fallback
    "dead_title": ("消息未送达：{title}", "Not delivered: {title}", "Không gửi được: {title}"),
    "dead_body": (
        "规则 {rule} 的消息“{title}”未能送达 {target}，原因：{reason}",
        "The message “{title}” of rule {rule} could not be delivered to {target} because {reason}",
        "Tin nhắn “{title}” của quy tắc {rule} không gửi được tới {target} vì {reason}",
    ),
    "rule_failed_title": (
        "规则 {rule} 出错：{number}",
        "Rule {rule} failed: {number}",
        "Quy tắc {rule} bị lỗi: {number}",
    ),
    "rule_failed_body": (
        "规则 {rule} 无法处理单据 {number}（{form}）：{error}",
        "Rule {rule} could not be applied to {number} ({form}): {error}",
        "Không thể áp dụng quy tắc {rule} cho {number} ({form}): {error}",
    ),
    # A look that gathered too much
    "storm_title": (
        "{form}：{count} 条消息合并为一条",
        "{form}: {count} messages in one",
        "{form}: {count} tin nhắn gộp làm một",
    ),
    "storm_body": (
        (
            "规则 {rule} 一次产生了 {count} 条消息，超过上限 {limit}，因此只发送这一条。前几张单据：{numbers}。"
            "查看全部：kdsync trace {ident}；逐条发送：kdsync outbox release {ident}"
        ),
        (
            "Rule {rule} had {count} messages at once, more than {limit}, so this one stands for all of them. "
            "The first documents are {numbers}. To see them all: kdsync trace {ident}; "
            "to send them one by one: kdsync outbox release {ident}"
        ),
        (
            "Quy tắc {rule} tạo ra {count} tin nhắn cùng lúc, vượt quá {limit}, nên chỉ gửi một tin này. "
            "Các chứng từ đầu tiên: {numbers}. Xem tất cả: kdsync trace {ident}; "
            "gửi từng tin: kdsync outbox release {ident}"
        ),
    ),
    "storm_failed_title": (
        "规则 {rule} 出错：{count} 次",
        "Rule {rule} failed {count} times",
        "Quy tắc {rule} bị lỗi {count} lần",
    ),
    "storm_failed_body": (
        "规则 {rule} 无法处理 {form} 的 {count} 张单据（{numbers} 等），例如：{error}。查看全部：kdsync trace {ident}",
        (
            "Rule {rule} could not be applied to {count} documents of {form} ({numbers} and others), "
            "for example: {error}. To see them all: kdsync trace {ident}"
        ),
        (
            "Không thể áp dụng quy tắc {rule} cho {count} chứng từ {form} ({numbers}…), ví dụ: {error}. "
            "Xem tất cả: kdsync trace {ident}"
        ),
    ),
    "held_title": (
        "{form}：{count} 条消息暂不发送",
        "{form}: {count} messages are held",
        "{form}: giữ lại {count} tin nhắn",
    ),
    "held_body": (
        (
            "{form} 的 {documents} 张单据比已知的旧，或已换成其他单据，可能恢复过备份，因此 {count} 条消息暂不发送。"
            "发送：kdsync outbox release {form}；放弃：kdsync outbox drop {form} --reason ..."
        ),
        (
            "{documents} documents of {form} are older than they were, or are other ones: "
            "a backup may have been restored. Their {count} messages wait. To send them: kdsync outbox release {form}; "
            "to give them up: kdsync outbox drop {form} --reason ..."
        ),
        (
            "{documents} chứng từ {form} cũ hơn trước hoặc đã là chứng từ khác, có thể đã khôi phục bản sao lưu, "
            "nên {count} tin nhắn được giữ lại. Gửi: kdsync outbox release {form}; "
            "bỏ: kdsync outbox drop {form} --reason ..."
        ),
    ),
    "down_title": ("{system} 不可用", "{system} is down", "{system} không hoạt động"),
    "down_body": (
        "{system} 自 {since} 起不可用：{reason}\n\n{cure}\n\n不会丢失任何内容，恢复后会继续。",
        "{system} has not worked since {since}: {reason}\n\n{cure}\n\nNothing is lost: what waits is told afterwards.",
        "{system} không hoạt động từ {since}: {reason}\n\n{cure}\n\nKhông mất gì; sau khi hoạt động lại sẽ tiếp tục.",
    ),
    "back_title": ("{system} 已恢复", "{system} is back", "{system} đã hoạt động lại"),
    "back_body": (
        "{system} 从 {since} 到 {until} 不可用（{lasted}）。期间发生的变更正在补查并通知。",
        "{system} did not work from {since} to {until} ({lasted}). What happened meanwhile is being caught up with.",
        "{system} không hoạt động từ {since} đến {until} ({lasted}). Các thay đổi trong thời gian đó đang được xử lý.",
    ),
    "sends_again_title": ("{system} 已恢复", "{system} is back", "{system} đã hoạt động lại"),
    "sends_again_body": (
        "{system} 从 {since} 到 {until} 不可用（{lasted}）。期间积压的 {waiting} 条消息正按顺序发送。",
        "{system} did not work from {since} to {until} ({lasted}). {waiting} messages waited and go out in order now.",
        "{system} không hoạt động từ {since} đến {until} ({lasted}). {waiting} tin nhắn chờ đang được gửi theo thứ tự.",
    ),
    "form_failed_title": ("无法读取 {form}", "{form} cannot be read", "Không đọc được {form}"),
    "form_failed_body": (
        "目前无法发现 {form} 的变更：{error}\n\n{cure}",
        "Changes of {form} are not noticed at present: {error}\n\n{cure}",
        "Hiện không theo dõi được thay đổi của {form}: {error}\n\n{cure}",
    ),
    "form_back_title": ("{form} 已恢复", "{form} can be read again", "{form} đã đọc lại được"),
    "form_back_body": (
        "{form} 的变更通知已恢复。",
        "Changes of {form} are noticed again.",
        "Thay đổi của {form} lại được theo dõi.",
    ),
    "tasks_unreadable_title": (
        "无法读取待办任务",
        "Who has to approve what cannot be read",
        "Không đọc được công việc chờ duyệt",
    ),
    "tasks_unreadable_body": (
        "目前无法得知谁有待审批的单据：{error}\n\n{cure}\n\n集成用户需要“流程管理”（流程实例、待办任务）的查看权限。",
        (
            "Nobody is told at present that a document waits for them: {error}\n\n{cure}\n\n"
            "The integration user needs the right to view Kingdee's process management (running workflows and tasks)."
        ),
        (
            "Hiện không thông báo được chứng từ đang chờ ai duyệt: {error}\n\n{cure}\n\n"
            "Tài khoản tích hợp cần quyền xem quản lý quy trình (quy trình đang chạy và công việc) của Kingdee."
        ),
    ),
    "tasks_readable_title": (
        "待办任务已可读取",
        "Who has to approve what can be read again",
        "Đã đọc lại được công việc chờ duyệt",
    ),
    "tasks_readable_body": (
        "待办任务的通知已恢复，期间出现的任务会补发。",
        "People are told again what waits for them, also what came up meanwhile.",
        "Đã thông báo lại công việc chờ duyệt, kể cả những việc phát sinh trong thời gian đó.",
    ),
    "damaged_title": (
        "{form} 的本地记录已损坏",
        "What kdsync knew of some {form} was damaged",
        "Bản ghi về {form} bị hỏng",
    ),
    "damaged_body": (
        "{form} 中以下单据的本地记录已损坏，现已重新读取：{numbers}。期间的变更可能未通知。请检查磁盘。",
        "The stored state of {numbers} ({form}) was damaged. A change may not have been told. Check the disk.",
        "Trạng thái đã lưu của {numbers} ({form}) bị hỏng. Có thể sót thay đổi. Hãy kiểm tra ổ đĩa.",
    ),
    "vanished_title": ("{form} 的单据大量消失", "Documents of {form} vanished", "Nhiều chứng từ {form} biến mất"),
    "vanished_body": (
        "{form}：{alarm}。期间不会发送删除通知。请检查权限、账套以及是否恢复过备份。如确已删除：kdsync accept {form}",
        (
            "{form}: {alarm}. No deletion is told meanwhile. Check permissions, account set and restored backups; "
            "if they really were deleted: kdsync accept {form}"
        ),
        (
            "{form}: {alarm}. Tạm thời không thông báo xóa. Hãy kiểm tra quyền, bộ sổ và bản sao lưu đã khôi phục; "
            "nếu chúng thật sự đã bị xóa: kdsync accept {form}"
        ),
    ),
    "vanished_over_title": ("{form} 的警报已解除", "The alarm about {form} is over", "Cảnh báo về {form} đã hết"),
    "vanished_over_body": (
        "{form} 消失的单据已恢复可见，或其消失已得到确认。",
        "The documents of {form} that had vanished are back, or it is known what became of them.",
        "Các chứng từ {form} đã biến mất nay hiện lại, hoặc đã rõ vì sao chúng mất.",
    ),
    "field_unknown_title": ("{form} 没有字段 {field}", "{form} has no field {field}", "{form} không có trường {field}"),
    "field_unknown_body": (
        "规则 {rules} 使用了 {form} 中不存在的字段 {field}，在修正之前不再生效。",
        "The rules {rules} use the field {field}, which {form} does not have. They rest until that is mended.",
        "Các quy tắc {rules} dùng trường {field} không có trong {form}, nên tạm ngừng cho đến khi được sửa.",
    ),
    "quota_title": (
        "钉钉调用量已用 {percent}",
        "{percent} of the DingTalk calls used",
        "Đã dùng {percent} lượt gọi DingTalk",
    ),
    "quota_body": (
        "本月已使用 {used} 次调用，上限 {limit} 次。",
        "{used} of this month's {limit} calls are used.",
        "Tháng này đã dùng {used} trên {limit} lượt gọi.",
    ),
    "log_title": ("kdsync 无法写入日志", "kdsync cannot write its log", "kdsync không ghi được nhật ký"),
    "log_body": (
        "{error}。kdsync 照常工作，但日志有缺失。请检查日志所在的磁盘或接收日志的程序。",
        "{error}. It goes on working, but its log has a gap. Look at the disk or the program that takes the log.",
        "{error}. kdsync vẫn hoạt động, nhưng nhật ký bị thiếu. Hãy kiểm tra ổ đĩa hoặc chương trình nhận nhật ký.",
    ),
    "log_back_title": ("kdsync 已恢复写入日志", "kdsync writes its log again", "kdsync đã ghi lại được nhật ký"),
    "log_back_body": (
        "日志中的 log.gap 一行写明缺失了多少行。",
        "The line log.gap in it tells how many lines are missing.",
        "Dòng log.gap trong nhật ký cho biết thiếu bao nhiêu dòng.",
    ),
    "clock_title": ("{system} 的时钟不一致", "The clock of {system} differs", "Đồng hồ của {system} bị lệch"),
    "clock_body": (
        "{system} 的时钟与本机相差 {seconds} 秒，请校准时间。",
        "The clock of {system} is {seconds} seconds off this machine's. Set the clocks right.",
        "Đồng hồ của {system} lệch {seconds} giây so với máy này. Hãy chỉnh lại giờ.",
    ),
} | {**UNUSUAL, **REPLIES, **CODE_REPLIES, **RIGHT_REPLIES, **INTAKES, **LINES}
"""The words by key, in the order of LOCALES."""


def words(key: str, locale: str, **params: object) -> str:
    """Fixed words with `params` filled in; in the words of a body (`…_body`, `undeliverable`) as markdown."""
    text = WORDS[key][LOCALES.index(locale) if locale in LOCALES else 0]
    escape = escaping.markdown if key.endswith("_body") or key == "undeliverable" else escaping.plain
    return text.format(**{name: escape(str(value)) for name, value in params.items()})


def status(letter: str, locale: str) -> str:
    """The name of an FDocumentStatus; a letter that is none as it is."""
    return words(f"status_{letter}", locale) if letter in set(Status) else letter


def transition(kind: Transition, locale: str) -> str:
    """What a document did."""
    return words(kind.value, locale)


def day(moment: date, locale: str) -> str:
    """The date as the locale writes it; numbers alone would leave day and month in doubt."""
    if locale == "en":
        return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"
    return (
        f"{moment.day:02}/{moment.month:02}/{moment.year}"
        if locale == "vi"
        else f"{moment.year:04}-{moment.month:02}-{moment.day:02}"
    )


def moment(at: datetime, locale: str, zone: ZoneInfo) -> str:
    """A date and a time in `zone`, as the locale writes them."""
    local = at.astimezone(zone)
    return f"{day(local, locale)} {local:%H:%M:%S}"


def footer(event_id: str, at: datetime, locale: str, zone: ZoneInfo) -> str:
    """What tells two messages of the same words apart: the time in `zone`, and the event's id, shortened.

    DingTalk drops a message that a person already got that day (errcode 143106 of `getsendresult`).
    """
    return f"{moment(at, locale, zone)} · #{event_id[:8]}"
