"""What people are answered who asked for something in DingTalk: that it is done, or why not and what to do."""

from __future__ import annotations

REPLIES: dict[str, tuple[str, str, str]] = {
    "how_to_reply_body": (
        "{action}：请回复“{phrase}”，后面可以写意见。",
        "{action}: reply “{phrase}”, and your opinion after it if you like.",
        "{action}: trả lời “{phrase}”, có thể viết thêm ý kiến phía sau.",
    ),
    "reply_outsider_title": ("kdsync 不认识您", "kdsync does not know you", "kdsync không biết bạn"),
    "reply_outsider_body": (
        "您不是本组织在钉钉中的成员，没有做任何修改。请联系您在该公司的联系人，或由公司的钉钉管理员将您加入组织。",
        (
            "You are no member of this organisation in DingTalk, so nothing was changed. "
            "Please ask the person you deal with there, or its DingTalk administrator to add you."
        ),
        (
            "Bạn không phải thành viên của tổ chức này trong DingTalk nên không có gì bị thay đổi. "
            "Hãy hỏi người liên hệ của bạn ở đó, hoặc nhờ quản trị viên DingTalk thêm bạn."
        ),
    ),
    "reply_done_title": ("{number}：{action} 已完成", "{number}: {action} is done", "{number}: {action} đã xong"),
    "reply_done_body": (
        "金蝶中的单据 {number} 已处理，当前状态：{status}。",
        "Document {number} is changed in Kingdee; its status is now: {status}.",
        "Chứng từ {number} đã được xử lý trong Kingdee, trạng thái hiện tại: {status}.",
    ),
    "reply_already_title": (
        "{number}：{action} 早已完成",
        "{number}: {action} was done before",
        "{number}: {action} đã được làm trước đó",
    ),
    "reply_already_body": (
        "无需再处理，单据 {number} 的当前状态：{status}。没有做任何修改。",
        "There was nothing left to do: the status of {number} is {status}. Nothing was changed.",
        "Không còn gì để làm, trạng thái của {number}: {status}. Không có gì bị thay đổi.",
    ),
    "reply_not_understood_title": ("没有看懂：{said}", "Not understood: {said}", "Không hiểu: {said}"),
    "reply_not_understood_body": (
        "没有做任何修改。请这样回复：{examples}",
        "Nothing was changed. You can write: {examples}",
        "Không có gì bị thay đổi. Bạn có thể viết: {examples}",
    ),
    "reply_no_number_title": ("请写上单据编号：{said}", "Which document? {said}", "Chứng từ nào? {said}"),
    "reply_no_number_body": (
        "没有做任何修改。请在后面写上单据编号，例如：{examples}",
        "Nothing was changed. Write the number of the document as well, such as: {examples}",
        "Không có gì bị thay đổi. Hãy viết thêm số chứng từ, ví dụ: {examples}",
    ),
    "reply_two_commands_title": ("一次只能处理一张单据", "One document at a time", "Mỗi lần một chứng từ"),
    "reply_two_commands_body": (
        "没有做任何修改。请每张单据单独发一条消息。",
        "Nothing was changed. Please send one message for each document.",
        "Không có gì bị thay đổi. Hãy gửi mỗi chứng từ một tin nhắn.",
    ),
    "reply_too_long_title": ("消息太长", "The message is too long", "Tin nhắn quá dài"),
    "reply_too_long_body": (
        "没有做任何修改。请缩短到 {most} 个字符以内。",
        "Nothing was changed. Please write at most {most} characters.",
        "Không có gì bị thay đổi. Hãy viết tối đa {most} ký tự.",
    ),
    "reply_no_document_title": ("找不到单据 {number}", "There is no {number}", "Không tìm thấy {number}"),
    "reply_no_document_body": (
        "金蝶中没有编号为 {number} 的单据，或者 kdsync 无权查看。请核对编号。没有做任何修改。",
        "Kingdee has no document {number} that kdsync may see. Please check the number. Nothing was changed.",
        "Kingdee không có chứng từ {number} mà kdsync được xem. Hãy kiểm tra số. Không có gì bị thay đổi.",
    ),
    "reply_many_documents_title": (
        "有 {count} 张单据编号为 {number}",
        "{count} documents are called {number}",
        "Có {count} chứng từ cùng số {number}",
    ),
    "reply_many_documents_body": (
        "无法判断是哪一张（{where}），没有做任何修改。请在金蝶中处理。",
        "It cannot be told which one is meant ({where}), so nothing was changed. Please do it in Kingdee.",
        "Không biết là chứng từ nào ({where}), nên không có gì bị thay đổi. Hãy xử lý trong Kingdee.",
    ),
    "reply_not_now_title": (
        "{number}：现在不能 {action}",
        "{number}: not possible now: {action}",
        "{number}: hiện không thể {action}",
    ),
    "reply_not_now_body": (
        "单据的当前状态是 {status}，不符合条件。没有做任何修改。",
        "Its status is {status}, and the conditions of the action do not hold. Nothing was changed.",
        "Trạng thái là {status}, không thỏa điều kiện. Không có gì bị thay đổi.",
    ),
    "reply_held_title": (
        "{number}：{seconds} 秒后执行 {action}",
        "{number}: {action} in {seconds} seconds",
        "{number}: {action} sau {seconds} giây",
    ),
    "reply_held_body": (
        "在此之前回复“撤销 {number}”即可取消。",
        "To take it back before that, reply “undo {number}”.",
        "Để hủy trước đó, hãy trả lời “hủy {number}”.",
    ),
    "reply_taken_back_title": (
        "{number}：{action} 已撤销",
        "{number}: {action} is taken back",
        "{number}: đã hủy {action}",
    ),
    "reply_taken_back_body": (
        "没有做任何修改。",
        "Nothing was changed.",
        "Không có gì bị thay đổi.",
    ),
    "reply_not_held_title": (
        "没有等待执行、可以撤销的操作",
        "Nothing waits that could be taken back",
        "Không có gì đang chờ để hủy",
    ),
    "reply_not_held_body": (
        "可能已经执行。请查看已收到的答复或金蝶中的单据；如需更改，请在金蝶中处理。",
        "It may be done by now: the answers that you got and Kingdee tell. What has to be changed, change in Kingdee.",
        "Có thể đã được thực hiện. Hãy xem các trả lời đã nhận và chứng từ; nếu cần, hãy xử lý trong Kingdee.",
    ),
    "reply_workflow_title": (
        "{number}：工作流正在审批",
        "{number}: a workflow is under way",
        "{number}: đang trong quy trình duyệt",
    ),
    "reply_workflow_body": (
        "该单据正在工作流中审批，kdsync 不会绕过工作流。没有做任何修改，请由当前审批人处理。",
        (
            "A workflow decides on this document, and kdsync does not bypass it. Nothing was changed; "
            "whoever has the task can decide."
        ),
        (
            "Chứng từ đang trong quy trình và kdsync không bỏ qua quy trình. Không có gì bị thay đổi; "
            "người đang giữ nhiệm vụ có thể quyết định."
        ),
    ),
    "reply_no_task_title": (
        "{number}：没有待您审批的任务",
        "{number}: no task waits for you",
        "{number}: không có nhiệm vụ chờ bạn",
    ),
    "reply_no_task_body": (
        "可能已由他人处理，或已转到下一步。单据当前状态：{status}。没有做任何修改。",
        "Somebody may have decided, or it has moved on. Its status is {status}. Nothing was changed.",
        "Có thể đã có người quyết định, hoặc đã sang bước khác. Trạng thái: {status}. Không có gì bị thay đổi.",
    ),
    "reply_shared_number_title": (
        "{number}：另有单据编号相同",
        "{number}: another document has the same number",
        "{number}: có chứng từ khác cùng số",
    ),
    "reply_shared_number_body": (
        "金蝶的审批任务按编号查找，无法确定是哪一张单据（{error}），没有做任何修改。请在金蝶中审批。",
        (
            "Kingdee finds tasks by number, so it cannot be told which document is meant ({error}). "
            "Nothing was changed; please decide in Kingdee."
        ),
        (
            "Kingdee tìm nhiệm vụ theo số nên không biết là chứng từ nào ({error}). "
            "Không có gì bị thay đổi; hãy quyết định trong Kingdee."
        ),
    ),
    "reply_kingdee_refused_title": (
        "{number}：金蝶拒绝了 {action}",
        "{number}: Kingdee refused to {action}",
        "{number}: Kingdee từ chối {action}",
    ),
    "reply_kingdee_refused_body": (
        "金蝶的原话：{error}。单据当前状态：{status}。请按提示修改后再试。",
        "In its words: {error}. The status is {status}. Please mend that and try again.",
        "Nguyên văn: {error}. Trạng thái: {status}. Hãy sửa rồi thử lại.",
    ),
    "reply_no_account_title": (
        "{number}：不知道您的金蝶账号，{action} 未执行",
        "{number}: your Kingdee account is not known, so {action} was not done",
        "{number}: không biết tài khoản Kingdee của bạn, chưa thực hiện {action}",
    ),
    "reply_no_account_body": (
        "须以您本人的金蝶账号执行，但找不到唯一对应的账号。单据当前状态：{status}。管理员已收到通知；也可在金蝶中直接处理。",
        "None or several accounts are known to be yours. The status is {status}. The administrators were told.",
        "Không tìm được đúng một tài khoản của bạn. Trạng thái: {status}. Quản trị viên đã được báo.",
    ),
    "reply_no_session_title": (
        "{number}：金蝶不允许以您的账号执行 {action}",
        "{number}: Kingdee does not let your account {action}",
        "{number}: Kingdee không cho tài khoản của bạn thực hiện {action}",
    ),
    "reply_no_session_body": (
        "未获授权、已停用、已过期或没有此权限（{error}）。单据当前状态：{status}。管理员已收到通知；也可在金蝶中直接处理。",
        "Not authorised, disabled, expired or without the right ({error}). Status: {status}. An operator was told.",
        "Chưa được cấp quyền, bị khóa hoặc hết hạn ({error}). Trạng thái: {status}. Quản trị viên đã được báo.",
    ),
    "reply_tasks_unread_title": (
        "{number}：看不到金蝶的待办任务，{action} 未执行",
        "{number}: Kingdee's tasks cannot be read, so {action} was not done",
        "{number}: không đọc được nhiệm vụ trong Kingdee, chưa thực hiện {action}",
    ),
    "reply_tasks_unread_body": (
        "因此无法确认单据是否在等您审批。请在金蝶中处理；管理员已收到通知（{error}）。",
        "So it cannot be told whether it waits for you. Please decide in Kingdee; an operator was told ({error}).",
        "Nên không biết chứng từ có đang chờ bạn không. Hãy xử lý trong Kingdee; quản trị viên đã được báo ({error}).",
    ),
    "reply_failed_title": (
        "{number}：{action} 未能完成",
        "{number}: {action} was not possible",
        "{number}: không thực hiện được {action}",
    ),
    "reply_failed_body": (
        "kdsync 尝试到现在仍未成功（{error}），不会再试。请稍后重发，或在金蝶中处理。",
        "kdsync tried without success ({error}) and has stopped. Please say it again later, or do it in Kingdee.",
        "kdsync đã thử đến giờ mà không được ({error}) và đã dừng. Hãy gửi lại sau, hoặc xử lý trong Kingdee.",
    ),
    "reply_not_reached_title": ("没有处理：{said}", "Not done: {said}", "Chưa xử lý: {said}"),
    "reply_not_reached_body": (
        "kdsync 未能及时处理（{error}），没有做任何修改，也不会再试。仍需要的话请重发，或在金蝶中处理。",
        (
            "kdsync could not see to it in time ({error}), changed nothing and has stopped. "
            "If it is still wanted, please say it again, or do it in Kingdee."
        ),
        (
            "kdsync không xử lý kịp ({error}), chưa thay đổi gì và đã dừng. "
            "Nếu vẫn cần, hãy gửi lại hoặc xử lý trong Kingdee."
        ),
    ),
    "reply_unknown_title": (
        "{number}：请在金蝶中核对 {action}",
        "{number}: please check in Kingdee: {action}",
        "{number}: hãy kiểm tra trong Kingdee: {action}",
    ),
    "reply_unknown_body": (
        "请求已发给金蝶，但没有收到回复（{error}），无法确定是否已执行，kdsync 不会重复执行。请在金蝶中核对。",
        (
            "Kingdee was asked and did not answer ({error}). Whether it was done cannot be told, "
            "and kdsync does not repeat it. Please look in Kingdee."
        ),
        (
            "Đã yêu cầu Kingdee nhưng không có trả lời ({error}). Không rõ đã thực hiện chưa "
            "và kdsync không lặp lại. Hãy kiểm tra trong Kingdee."
        ),
    ),
    # Notices to the fallback
    "pushes_title": (
        "钉钉本月的推送次数已用完",
        "DingTalk's pushes of this month are used up",
        "Đã hết lượt đẩy của DingTalk trong tháng",
    ),
    "pushes_body": (
        "到下月一日之前，kdsync 听不到钉钉里的回复，也不会执行。请购买更多推送次数，或请大家在金蝶中处理。",
        (
            "Until the first of next month kdsync cannot hear what people reply, and does nothing of it. "
            "Buy more Webhook and Stream pushes, or let people do it in Kingdee."
        ),
        (
            "Đến ngày đầu tháng sau kdsync không nghe được trả lời và không thực hiện. "
            "Hãy mua thêm lượt đẩy Webhook và Stream, hoặc để mọi người xử lý trong Kingdee."
        ),
    ),
    "unanswered_title": (
        "外部人员的消息未能答复",
        "Somebody from outside got no answer",
        "Không trả lời được người ngoài tổ chức",
    ),
    "unanswered_body": (
        "有外部人员在钉钉中给 kdsync 发了消息，未能答复：{error}。没有做任何修改；今天的其他此类情况只记入日志。",
        (
            "Somebody outside the organisation wrote to kdsync in DingTalk and could not be answered: {error}. "
            "Nothing was changed; more of this today is only in the log."
        ),
        (
            "Có người ngoài tổ chức nhắn cho kdsync trong DingTalk và không thể trả lời: {error}. "
            "Không có gì bị thay đổi; hôm nay những lần sau chỉ ghi vào nhật ký."
        ),
    ),
    "answer_failed_title": (
        "{number}：钉钉回复未能在金蝶中执行",
        "{number}: an answer could not be carried out",
        "{number}: không thực hiện được một câu trả lời",
    ),
    "answer_failed_body": (
        "{sender} 要求对 {number}（{form}）执行 {action}，未成功：{error}",
        "{sender} asked for {action} on {number} ({form}), without success: {error}",
        "{sender} yêu cầu {action} cho {number} ({form}), không thành công: {error}",
    ),
}
