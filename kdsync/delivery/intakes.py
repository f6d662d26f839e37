"""What is told of an approval that was to become a document in Kingdee; in the order of words.LOCALES."""

from __future__ import annotations

INTAKES: dict[str, tuple[str, str, str]] = {
    "intake_done_title": (
        "您的审批已生成{form} {number}",
        "Your approval is {form} {number} in Kingdee",
        "Phê duyệt của bạn đã thành {form} {number}",
    ),
    "intake_done_body": (
        "审批“{approval}”已通过，金蝶中已生成单据 {number}，当前状态：{status}。",
        "Your approval “{approval}” was agreed to and is document {number} in Kingdee; its status is: {status}.",
        "Phê duyệt “{approval}” đã được đồng ý và là chứng từ {number} trong Kingdee; trạng thái: {status}.",
    ),
    "intake_already_title": (
        "您的审批早已是{form} {number}",
        "Your approval was {form} {number} before",
        "Phê duyệt của bạn đã là {form} {number} từ trước",
    ),
    "intake_already_body": (
        "金蝶中已有审批“{approval}”的单据 {number}（状态：{status}），没有做任何修改。",
        "Document {number} of “{approval}” was in Kingdee before (status: {status}); nothing was changed.",
        "Chứng từ {number} của “{approval}” đã có trong Kingdee (trạng thái: {status}); không có gì bị thay đổi.",
    ),
    "intake_refused_title": (
        "审批未能写入金蝶：{approval}",
        "Not taken into Kingdee: {approval}",
        "Chưa đưa được vào Kingdee: {approval}",
    ),
    "intake_refused_body": (
        "审批“{approval}”已通过，但未能写入金蝶：{error}。管理员已收到通知，修正后可以重试，无需重新提交审批。",
        (
            "“{approval}” was agreed to, but could not be taken into Kingdee: {error}. An administrator knows and can "
            "have it tried again once that is mended; you need not apply again."
        ),
        (
            "“{approval}” đã được đồng ý nhưng chưa đưa được vào Kingdee: {error}. Quản trị viên đã biết và có thể "
            "thử lại sau khi sửa; bạn không cần gửi lại."
        ),
    ),
    "intake_refused_comment": (
        "未能写入金蝶：{error}。管理员已收到通知，修正后可以重试，无需重新提交审批。",
        (
            "Not taken into Kingdee: {error}. An administrator knows and can have it tried again once that is mended; "
            "you need not apply again."
        ),
        (
            "Chưa đưa được vào Kingdee: {error}. Quản trị viên đã biết và có thể thử lại sau khi sửa; "
            "bạn không cần gửi lại."
        ),
    ),
    "intake_failed_title": (
        "审批暂未写入金蝶：{approval}",
        "Not yet in Kingdee: {approval}",
        "Chưa vào Kingdee: {approval}",
    ),
    "intake_failed_body": (
        "审批“{approval}”已通过，但 kdsync 未能写入金蝶（{error}）。管理员已收到通知，您无需处理。",
        (
            "“{approval}” was agreed to, but kdsync could not take it into Kingdee ({error}). An administrator knows; "
            "there is nothing that you have to do."
        ),
        (
            "“{approval}” đã được đồng ý nhưng kdsync chưa đưa được vào Kingdee ({error}). Quản trị viên đã biết; "
            "bạn không cần làm gì."
        ),
    ),
    "intake_failed_comment": (
        "暂未写入金蝶（{error}）。管理员已收到通知，您无需处理。",
        "Not yet taken into Kingdee ({error}). An administrator knows; there is nothing that you have to do.",
        "Chưa đưa được vào Kingdee ({error}). Quản trị viên đã biết; bạn không cần làm gì.",
    ),
    "intake_unknown_title": (
        "请在金蝶中核对：{approval}",
        "Please check in Kingdee: {approval}",
        "Hãy kiểm tra trong Kingdee: {approval}",
    ),
    "intake_unknown_body": (
        "审批“{approval}”在金蝶中的单据需要核对：{error}。kdsync 不会重复写入，管理员已收到通知。",
        "The document of “{approval}” has to be looked at: {error}. kdsync does not repeat it; an administrator knows.",
        "Cần kiểm tra chứng từ của “{approval}”: {error}. kdsync không lặp lại; quản trị viên đã biết.",
    ),
    "intake_unknown_comment": (
        "金蝶中的单据需要核对：{error}。kdsync 不会重复写入，管理员已收到通知。",
        "The document in Kingdee has to be looked at: {error}. kdsync does not repeat it; an administrator knows.",
        "Cần kiểm tra chứng từ trong Kingdee: {error}. kdsync không lặp lại; quản trị viên đã biết.",
    ),
    "intake_alarm_title": (
        "审批未写入金蝶：{title}",
        "An approval is not in Kingdee: {title}",
        "Một phê duyệt chưa vào Kingdee: {title}",
    ),
    "intake_alarm_body": (
        "{sender} 的审批“{title}”（{number}，intake {intake}，{form}）：{error}。修正后执行 kdsync inbox retry {id}",
        "“{title}” of {sender} ({number}, intake {intake}, {form}): {error}. Once mended: kdsync inbox retry {id}",
        "“{title}” của {sender} ({number}, intake {intake}, {form}): {error}. Sau khi sửa: kdsync inbox retry {id}",
    ),
}
