"""What people are answered who may not do what they asked for, or not alone."""

from __future__ import annotations

RIGHT_REPLIES: dict[str, tuple[str, str, str]] = {
    "reply_not_allowed_title": (
        "{number}：您无权执行 {action}",
        "{number}: you may not {action}",
        "{number}: bạn không có quyền {action}",
    ),
    "reply_not_allowed_body": (
        "只有 {allow} 可以执行“{action}”。没有做任何修改，已留下记录。",
        "“{action}” is for {allow}. Nothing was changed; the try is on record.",
        "“{action}” chỉ dành cho {allow}. Không có gì bị thay đổi, việc này đã được ghi lại.",
    ),
    "reply_own_document_title": (
        "{number}：不能处理自己的单据",
        "{number} is your own document",
        "{number} là chứng từ của chính bạn",
    ),
    "reply_own_document_body": (
        "“{action}”须由他人执行。没有做任何修改，已留下记录。",
        "Somebody else has to {action}. Nothing was changed; the try is on record.",
        "“{action}” phải do người khác thực hiện. Không có gì bị thay đổi, việc này đã được ghi lại.",
    ),
    "reply_maker_unknown_title": (
        "{number}：无法确定制单人",
        "{number}: who made it cannot be told",
        "{number}: không xác định được người lập",
    ),
    "reply_maker_unknown_body": (
        "不能对自己的单据执行“{action}”，而制单人在钉钉中找不到。没有做任何修改，已通知管理员。请稍后再试，或在金蝶中处理。",
        (
            "Nobody may {action} what they made themselves, and who made it is not found in DingTalk. Nothing was "
            "changed; the operators know. Try again later, or do it in Kingdee."
        ),
        (
            "Không ai được {action} chứng từ do chính mình lập, mà người lập không tìm thấy trong DingTalk. Không có "
            "gì bị thay đổi; quản trị viên đã được báo. Hãy thử lại sau, hoặc xử lý trong Kingdee."
        ),
    ),
    "reply_no_amount_title": (
        "{number}：金额未知",
        "{number}: its amount is not known",
        "{number}: không rõ số tiền",
    ),
    "reply_no_amount_body": (
        "超过 {most} 的单据另有规定，而这张单据的 {field} 没有金额。没有做任何修改。请填写后再试，或在金蝶中处理。",
        (
            "What is over {most} takes more than one word, and {field} of this document holds no amount. Nothing was "
            "changed. Fill it in and try again, or do it in Kingdee."
        ),
        (
            "Chứng từ trên {most} có quy định riêng, mà {field} của chứng từ này không có số tiền. Không có gì bị thay "
            "đổi. Hãy điền rồi thử lại, hoặc xử lý trong Kingdee."
        ),
    ),
    "reply_second_title": (
        "{number}：还需要第二个人确认",
        "{number}: a second person has to confirm",
        "{number}: cần người thứ hai xác nhận",
    ),
    "reply_second_body": (
        "金额超过 {most}。请另一位有权限的人（{allow}）在一天内发送同样的话。在此之前不会做任何修改。",
        (
            "The amount is over {most}. Somebody else with the right ({allow}) has to say the same within a day. "
            "Until then nothing is changed."
        ),
        (
            "Số tiền vượt {most}. Một người khác có quyền ({allow}) cần gửi cùng nội dung trong một ngày. "
            "Trước đó không có gì bị thay đổi."
        ),
    ),
}
