"""What cards say below what they show, what status bars say and what is answered to clicks; in the order of
words.LOCALES."""

from __future__ import annotations

LINES: dict[str, tuple[str, str, str]] = {
    "card_working": ("正在处理…", "Being worked on…", "Đang xử lý…"),
    "card_done": (
        "{by}：{action} · {status} · {at}",
        "{by}: {action} · {status} · {at}",
        "{by}: {action} · {status} · {at}",
    ),
    "card_half": (
        "{by} 已确认“{action}”，还需要另一位 · {at}",
        "{by} confirmed “{action}”; somebody else has to as well · {at}",
        "{by} đã xác nhận “{action}”, cần thêm một người · {at}",
    ),
    "card_said": ("{title} · {at}", "{title} · {at}", "{title} · {at}"),
    "card_elsewhere": (
        "已在金蝶中处理 · {status} · {at}",
        "Decided in Kingdee · {status} · {at}",
        "Đã xử lý trong Kingdee · {status} · {at}",
    ),
    "card_gone": ("单据已不存在 · {at}", "The document is gone · {at}", "Chứng từ không còn · {at}"),
    "bar_waiting": ("待审批", "Waiting", "Chờ duyệt"),
    "bar_decided": ("已处理 · {status}", "Decided · {status}", "Đã xử lý · {status}"),
    "bar_over": ("已处理", "Decided", "Đã xử lý"),
    "reply_card_unknown_title": ("这张卡片已失效", "This card is not valid any more", "Thẻ này không còn hiệu lực"),
    "reply_card_unknown_body": (
        "kdsync 不认识这张卡片，没有做任何修改。请回复文字，或在金蝶中处理。",
        "kdsync does not know this card. Nothing was changed; reply in words, or do it in Kingdee.",
        "kdsync không biết thẻ này. Không có gì bị thay đổi; hãy trả lời bằng chữ hoặc xử lý trong Kingdee.",
    ),
    "reply_card_over_title": (
        "{number}：已经处理过了",
        "{number} was decided before",
        "{number} đã được xử lý trước đó",
    ),
    "reply_card_over_body": (
        "可能由他人处理，也可能在金蝶中处理。当前状态：{status}。没有做任何修改。",
        "By somebody else, or in Kingdee; its status is {status}. Nothing was changed.",
        "Bởi người khác, hoặc trong Kingdee; trạng thái: {status}. Không có gì bị thay đổi.",
    ),
    "reply_card_stale_title": (
        "{number}：单据内容已变更",
        "{number} has changed since",
        "{number} đã thay đổi",
    ),
    "reply_card_stale_body": (
        "这张卡片发出后，单据内容有变（{fields}），没有做任何修改。请核对后回复文字，或在金蝶中处理。",
        (
            "It is not what the card showed any more ({fields}), so nothing was changed. "
            "Please look at it, then reply in words, or do it in Kingdee."
        ),
        (
            "Chứng từ không còn như trên thẻ ({fields}), nên không có gì bị thay đổi. "
            "Hãy xem lại rồi trả lời bằng chữ, hoặc xử lý trong Kingdee."
        ),
    ),
    "reply_card_no_action_title": (
        "{number}：这个按钮已停用",
        "{number}: this button does nothing any more",
        "{number}: nút này không còn dùng",
    ),
    "reply_card_no_action_body": (
        "没有做任何修改。请在金蝶中处理。",
        "Nothing was changed. Please do it in Kingdee.",
        "Không có gì bị thay đổi. Hãy xử lý trong Kingdee.",
    ),
    # Notices to the fallback
    "cards_refused_title": (
        "钉钉不接受卡片",
        "DingTalk does not take the cards",
        "DingTalk không nhận thẻ",
    ),
    "cards_refused_body": (
        "原因：{error}。处理办法：{cure}。在此之前，消息以文字发送，并说明如何回复。",
        "{error}. Cure: {cure}. Until then messages go out as text that says what to reply.",
        "{error}. Cách xử lý: {cure}. Cho đến lúc đó tin nhắn được gửi bằng chữ và nói cách trả lời.",
    ),
    "cards_work_title": ("钉钉卡片已恢复", "Cards work again", "Thẻ đã hoạt động lại"),
    "cards_work_body": ("消息重新带按钮发送。", "Messages have buttons again.", "Tin nhắn lại có nút bấm."),
}
