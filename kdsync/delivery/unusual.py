"""What kdsync tells its operators of documents and answers that are no ordinary ones, and of replies that it does not
hear; in the order of words.LOCALES."""

from __future__ import annotations

UNUSUAL: dict[str, tuple[str, str, str]] = {
    "account_title": ("金蝶账套已变更", "Another Kingdee account set", "Bộ sổ Kingdee đã khác"),
    "account_body": (
        "{error}。在确认之前不会读取任何单据。\n\n{cure}",
        "{error}. No document is read until this is settled.\n\n{cure}",
        "{error}. Không đọc chứng từ nào cho đến khi việc này được xác nhận.\n\n{cure}",
    ),
    "account_over_title": ("金蝶账套已确认", "The Kingdee account set is settled", "Bộ sổ Kingdee đã được xác nhận"),
    "account_over_body": ("已恢复读取单据。", "Documents are read again.", "Chứng từ lại được đọc."),
    "rewound_title": ("{form} 的单据比已知的旧", "Documents of {form} are older", "Chứng từ {form} cũ hơn trước"),
    "rewound_body": (
        "{form} 的 {count} 张单据（{numbers}）的修改日期早于已知状态，可能恢复过备份。",
        "{count} documents of {form} ({numbers}) were modified before the state that was known: was a backup restored?",
        "{count} chứng từ {form} ({numbers}) có ngày sửa cũ hơn trạng thái đã biết: có khôi phục bản sao lưu không?",
    ),
    "replaced_title": ("{form} 的内码指向其他单据", "Ids of {form} belong to others", "Mã {form} thuộc chứng từ khác"),
    "replaced_body": (
        "{form} 的 {count} 个内码已属于其他单据（{numbers}），可能恢复过备份或更换了账套。",
        "{count} ids of {form} belong to other documents now ({numbers}): a restored backup, or another account set?",
        "{count} mã của {form} nay thuộc chứng từ khác ({numbers}): đã khôi phục bản sao lưu hoặc đổi bộ sổ?",
    ),
    "restored_title": (
        "{form} 恢复过备份",
        "A backup of {form} was restored",
        "{form} đã được khôi phục từ bản sao lưu",
    ),
    "restored_body": (
        "{form} 最新的 {count} 张单据（{since} 之后，{numbers}）已不存在，看来恢复过备份。不逐张发送删除通知。",
        (
            "The newest {count} documents of {form} (since {since}: {numbers}) are gone: it seems that a backup was "
            "restored. Their deletion is not told one by one."
        ),
        (
            "{count} chứng từ mới nhất của {form} (từ {since}: {numbers}) không còn: có vẻ đã khôi phục bản sao lưu. "
            "Không thông báo xóa từng chứng từ."
        ),
    ),
    "future_title": ("{form} 有未来日期", "{form} has dates in the future", "{form} có ngày trong tương lai"),
    "future_body": (
        "{form} 的单据 {numbers} 的日期在未来。变更通知不受影响，但每次查询都会读到这些单据，请更正日期。",
        (
            "{numbers} of {form} are dated in the future. Changes are noticed all the same, but these documents are "
            "read at every look: correct their dates."
        ),
        (
            "Chứng từ {numbers} của {form} có ngày trong tương lai. Thay đổi vẫn được theo dõi, nhưng lần nào cũng "
            "phải đọc các chứng từ này: hãy sửa ngày."
        ),
    ),
    "shared_title": ("{form} 编号重复：{number}", "A number of {form} twice: {number}", "{form} trùng số: {number}"),
    "shared_body": (
        "{form} 有多张单据使用编号 {number}（内码 {ids}），例如分属不同组织。消息按单据分别发送；此类情况不再提示。",
        (
            "Several documents of {form} bear the number {number} (ids {ids}), in different organisations perhaps. "
            "Each is told by itself. Further ones are only logged."
        ),
        (
            "Nhiều chứng từ {form} mang số {number} (mã {ids}), có thể thuộc các tổ chức khác nhau. Mỗi chứng từ "
            "được báo riêng. Các trường hợp sau chỉ ghi nhật ký."
        ),
    ),
    "doubled_title": ("{form} 的内码重复", "An id of {form} came twice", "Mã của {form} bị lặp"),
    "doubled_body": (
        "{form} 的查询对同一内码（{numbers}）返回了不同内容。请检查规则中的字段是否属于分录。",
        "{form} answered the same id with different values ({numbers}): a field that rules use may belong to rows.",
        "{form} trả về cùng một mã ({numbers}) với giá trị khác nhau: có thể trường trong quy tắc thuộc dòng chi tiết.",
    ),
    "unreadable_title": (
        "{form} 的部分数据无法读取",
        "Rows of {form} cannot be read",
        "Không đọc được dòng của {form}",
    ),
    "unreadable_body": (
        "金蝶对 {form} 返回的部分行格式错误（{numbers}），这些单据暂时无法监控，其余单据不受影响。",
        "Kingdee answered for {form} with rows that are none ({numbers}); all others are watched meanwhile.",
        "Kingdee trả về dòng sai định dạng cho {form} ({numbers}): tạm thời không theo dõi được các chứng từ này.",
    ),
    "sweep_failed_title": (
        "无法检查 {form} 的未结单据",
        "Open documents of {form} cannot be looked at",
        "Không xem được chứng từ đang mở của {form}",
    ),
    "sweep_failed_body": (
        "目前无法发现 {form} 不更新日期的变更（例如提交）：{error}\n\n{cure}",
        "Changes of {form} that move no date, such as a submit, are not noticed at present: {error}\n\n{cure}",
        "Hiện không phát hiện được thay đổi của {form} không cập nhật ngày (như trình duyệt): {error}\n\n{cure}",
    ),
    "sweep_back_title": (
        "{form} 的未结单据已恢复检查",
        "Open documents of {form} are looked at again",
        "Đã xem lại được chứng từ đang mở của {form}",
    ),
    "sweep_back_body": (
        "{form} 不更新日期的变更已恢复通知。",
        "Changes of {form} that move no date are noticed again.",
        "Thay đổi của {form} không cập nhật ngày lại được theo dõi.",
    ),
    "reconcile_failed_title": (
        "无法核对 {form} 的全部单据",
        "{form} cannot be reconciled",
        "Không đối chiếu được {form}",
    ),
    "reconcile_failed_body": (
        "目前无法发现 {form} 的删除以及遗漏的变更：{error}\n\n{cure}",
        "Deletions of {form}, and changes that were missed, are not noticed at present: {error}\n\n{cure}",
        "Hiện không phát hiện được chứng từ {form} bị xóa và các thay đổi bị bỏ sót: {error}\n\n{cure}",
    ),
    "reconcile_back_title": ("{form} 已恢复核对", "{form} is reconciled again", "{form} lại được đối chiếu"),
    "reconcile_back_body": (
        "{form} 的删除以及遗漏的变更已恢复发现。",
        "Deletions of {form}, and changes that were missed, are noticed again.",
        "Chứng từ {form} bị xóa và các thay đổi bị bỏ sót lại được phát hiện.",
    ),
    "short_title": ("{form} 返回的页不完整", "Short pages of {form}", "{form} trả về trang thiếu"),
    "short_body": (
        "金蝶对 {form} 返回的行数少于请求的行数，而后面还有数据。没有遗漏，但请检查服务器的行数限制。",
        (
            "Kingdee answered with fewer rows of {form} than asked for while more existed. Nothing is missed, but "
            "reading takes more requests: check the limit of rows on the server."
        ),
        (
            "Kingdee trả về ít dòng {form} hơn yêu cầu trong khi vẫn còn dữ liệu. Không bỏ sót gì, nhưng hãy kiểm "
            "tra giới hạn số dòng trên máy chủ."
        ),
    ),
    "stream_down_title": (
        "收不到钉钉里的回复",
        "Replies in DingTalk are not heard",
        "Không nghe được trả lời trong DingTalk",
    ),
    "stream_down_body": (
        (
            "自 {since} 起没有 Stream 连接：{reason}\n\n{cure}\n\n"
            "消息照常发送，但期间的回复和点击不会执行，恢复后须重发；审批会补查。"
        ),
        (
            "There has been no Stream connection since {since}: {reason}\n\n{cure}\n\nMessages are sent as ever, but "
            "what people reply or click meanwhile is lost and has to be said again; approvals are caught up with."
        ),
        (
            "Không có kết nối Stream từ {since}: {reason}\n\n{cure}\n\nTin nhắn vẫn được gửi, nhưng trả lời và nút bấm "
            "trong thời gian này bị mất, cần gửi lại; các phê duyệt sẽ được xử lý bù."
        ),
    ),
    "stream_back_title": (
        "钉钉里的回复已能收到",
        "Replies in DingTalk are heard again",
        "Đã nghe lại được trả lời trong DingTalk",
    ),
    "stream_back_body": (
        "Stream 连接已恢复。中断期间的回复和点击未执行，请相关人员重发。",
        "There is a Stream connection again. Who replied or clicked meanwhile has to do it again.",
        "Đã có lại kết nối Stream. Ai đã trả lời hoặc bấm nút trong thời gian đó cần làm lại.",
    ),
}
