"""What people are answered whose request takes a one-time code, and what `fallback` hears of it."""

from __future__ import annotations

CODE_REPLIES: dict[str, tuple[str, str, str]] = {
    "reply_code_title": (
        "{number}：请发送一次性验证码",
        "{number}: please send your one-time code",
        "{number}: hãy gửi mã dùng một lần",
    ),
    "reply_code_body": (
        "金额超过 {most}。请在 {minutes} 分钟内把验证器应用里的六位数字单独发来。在此之前不会做任何修改。",
        (
            "The amount is over {most}. Send the six digits that your authenticator app shows, as a message of their "
            "own, within {minutes} minutes. Until then nothing is changed."
        ),
        (
            "Số tiền vượt {most}. Hãy gửi sáu chữ số trong ứng dụng xác thực thành một tin riêng trong {minutes} phút. "
            "Trước đó không có gì bị thay đổi."
        ),
    ),
    "reply_code_wrong_title": (
        "{number}：验证码不正确",
        "{number}: the code is not right",
        "{number}: mã không đúng",
    ),
    "reply_code_wrong_body": (
        "没有做任何修改，已留下记录。请在 {minutes} 分钟内发送现在显示的验证码，还可以再试 {left} 次。",
        (
            "Nothing was changed; the try is on record. Send the code that the app shows now within {minutes} minutes. "
            "Tries left: {left}."
        ),
        (
            "Không có gì bị thay đổi, việc này đã được ghi lại. Hãy gửi mã đang hiển thị trong {minutes} phút. "
            "Còn {left} lần thử."
        ),
    ),
    "reply_code_used_title": (
        "{number}：验证码已用过",
        "{number}: that code was used before",
        "{number}: mã đã được dùng",
    ),
    "reply_code_used_body": (
        "每个验证码只能用一次。没有做任何修改。请等应用显示下一个验证码，在 {minutes} 分钟内发来。",
        (
            "Each code counts once. Nothing was changed. Wait for the next one that the app shows, "
            "and send it within {minutes} minutes."
        ),
        (
            "Mỗi mã chỉ dùng một lần. Không có gì bị thay đổi. Hãy chờ mã tiếp theo của ứng dụng "
            "và gửi trong {minutes} phút."
        ),
    ),
    "reply_code_locked_title": (
        "{number}：验证码已锁定到 {until}",
        "{number}: codes are locked until {until}",
        "{number}: mã bị khóa đến {until}",
    ),
    "reply_code_locked_body": (
        "连续多次验证码错误。没有做任何修改，已留下记录并通知管理员。请在 {until} 之后再试，或在金蝶中处理。",
        (
            "Too many codes were wrong. Nothing was changed; it is on record and the operators know. "
            "Try again after {until}, or do it in Kingdee."
        ),
        (
            "Quá nhiều mã sai. Không có gì bị thay đổi; đã ghi lại và báo quản trị viên. "
            "Hãy thử lại sau {until}, hoặc xử lý trong Kingdee."
        ),
    ),
    "reply_code_unknown_title": (
        "{number}：您还没有一次性验证码",
        "{number}: you have no one-time codes yet",
        "{number}: bạn chưa có mã dùng một lần",
    ),
    "reply_code_unknown_body": (
        "金额超过 {most}，需要一次性验证码。请联系 {whom} 为您登记（kdsync totp enrol {userid}）。没有做任何修改。",
        (
            "The amount is over {most}, which takes a one-time code. Ask {whom} to enrol you "
            "(kdsync totp enrol {userid}). Nothing was changed."
        ),
        (
            "Số tiền vượt {most} nên cần mã dùng một lần. Hãy nhờ {whom} đăng ký cho bạn "
            "(kdsync totp enrol {userid}). Không có gì bị thay đổi."
        ),
    ),
    "reply_code_not_asked_title": (
        "现在没有等待验证码的操作",
        "Nothing waits for a code",
        "Không có việc nào chờ mã",
    ),
    "reply_code_not_asked_body": (
        "验证码须在询问后 {minutes} 分钟内发送。没有做任何修改。请重新发送指令和单据编号。",
        (
            "A code has to come within {minutes} minutes after it was asked for. Nothing was changed. "
            "Please say again what to do with which document."
        ),
        (
            "Mã phải được gửi trong {minutes} phút sau khi được hỏi. Không có gì bị thay đổi. "
            "Hãy gửi lại yêu cầu và số chứng từ."
        ),
    ),
    "reply_code_several_title": (
        "验证码是给哪张单据的？",
        "Which document is the code for?",
        "Mã dành cho chứng từ nào?",
    ),
    "reply_code_several_body": (
        "{several} 都在等待验证码。没有做任何修改。请把指令、单据编号和验证码写在同一条消息里。",
        (
            "{several} wait for one. Nothing was changed. "
            "Write what to do, the number of the document and the code in one message."
        ),
        ("{several} đều đang chờ mã. Không có gì bị thay đổi. Hãy viết yêu cầu, số chứng từ và mã trong cùng một tin."),
    ),
    "reply_code_stale_title": (
        "{number}：情况已变更",
        "{number}: it has changed since the code was asked for",
        "{number}: đã thay đổi từ khi hỏi mã",
    ),
    "reply_code_stale_body": (
        "询问验证码之后，单据的金额或操作的内容有变。没有做任何修改。请核对后重新发送指令。",
        (
            "The code was asked for about another amount, or for something else to be done. Nothing was changed. "
            "Please look at it, then say it again."
        ),
        "Số tiền hoặc việc cần làm không còn như khi hỏi mã. Không có gì bị thay đổi. Hãy kiểm tra rồi gửi lại.",
    ),
    "code_enrolled_title": (
        "{sender} 已登记一次性验证码",
        "{sender}: one-time codes were set up",
        "{sender}: đã đăng ký mã dùng một lần",
    ),
    "code_enrolled_body": (
        (
            "从现在起，持有该验证器的人可以在钉钉中以 {sender} 的名义确认超过限额的单据。"
            "若不是本人所为，请立即告知管理员（kdsync totp remove {sender}）。"
        ),
        (
            "From now on whoever has that authenticator app can confirm in DingTalk as {sender} what is over a limit. "
            "If it is not {sender} who has it, tell the operators at once (kdsync totp remove {sender})."
        ),
        (
            "Từ nay ai giữ ứng dụng xác thực đó có thể xác nhận trong DingTalk với tên {sender} những chứng từ vượt "
            "hạn mức. Nếu người giữ không phải {sender}, hãy báo ngay cho quản trị viên (kdsync totp remove {sender})."
        ),
    ),
    "code_removed_title": (
        "{sender} 的一次性验证码已取消",
        "{sender}: one-time codes were taken away",
        "{sender}: mã dùng một lần đã bị hủy",
    ),
    "code_removed_body": (
        "验证器应用显示的验证码不再有效。若仍然需要，请联系管理员重新登记。",
        "What the authenticator app shows counts no more. If it is still needed, ask the operators to enrol anew.",
        "Mã trong ứng dụng xác thực không còn hiệu lực. Nếu vẫn cần, hãy nhờ quản trị viên đăng ký lại.",
    ),
    "code_locked_title": (
        "{sender} 连续五次验证码错误",
        "{sender}: five wrong one-time codes",
        "{sender}: năm lần sai mã dùng một lần",
    ),
    "code_locked_body": (
        "最后一次是为了 {number}（{form}）。在 {until} 之前不再检查其验证码。若不是本人所为，请检查其钉钉账号。",
        (
            "The last was for {number} ({form}). No code of theirs is looked at before {until}. "
            "If it was not they who wrote, look after their DingTalk account."
        ),
        (
            "Lần cuối là cho {number} ({form}). Trước {until} không mã nào của họ được kiểm tra. "
            "Nếu không phải chính họ gửi, hãy kiểm tra tài khoản DingTalk của họ."
        ),
    ),
}
