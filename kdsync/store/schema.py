"""The tables. Changing one needs a migration in `migrations/versions`; a test compares the two.

Moments are text, ISO 8601 in UTC, so that they sort. `row`, `before`, `after`, `contents` and `content` are sealed
where `store.key` is set (see sealing.py); `secret` always is.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"}
)

facts = Table(
    "facts",  # what kdsync learned about itself and the other side: account set, holds, clock offsets
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("at", Text, nullable=False),
)

forms = Table(
    "forms",  # the cursor of each watched form
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_set", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("layout_id", Integer),  # the columns that all its rows are stored in; 0: not all in the same
    Column("newest", Text, nullable=False, default=""),  # newest date seen, as Kingdee prints it
    Column("resume_after", Text),  # primary key up to which an unfinished first look has come
    Column("first_look_from", Text),  # Kingdee's clock when the unfinished first look began
    Column("baselined_at", Text),  # when the first look was complete; before that nobody is notified
    Column("last_ok_at", Text),
    Column("last_error", Text),
    Column("alarm", Text),  # why deletions are held back
    UniqueConstraint("account_set", "form"),
)

layouts = Table(
    "layouts",  # the columns that rows were stored in
    metadata,
    Column("id", Integer, primary_key=True),
    Column("form_id", Integer, nullable=False),
    Column("columns", Text, nullable=False),  # JSON {"heads": [...], "entries": [...]}
    UniqueConstraint("form_id", "columns"),
)

documents = Table(
    "documents",  # the snapshots
    metadata,
    Column("form_id", Integer, primary_key=True),
    Column("doc_id", Text, primary_key=True),
    Column("number", Text, nullable=False),
    Column("is_open", Integer, nullable=False),
    Column("is_gone", Integer, nullable=False),  # 1: deleted; the row stays so that versions never repeat
    Column("version", Integer, nullable=False),
    Column("layout_id", Integer, nullable=False),
    Column("row", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
Index(None, documents.c.number)
Index("ix_documents_open", documents.c.form_id, documents.c.doc_id, sqlite_where=documents.c.is_open == 1)

events = Table(
    "events",  # one step of one document; its kinds are the events proper
    metadata,
    Column("form_id", Integer, primary_key=True),
    Column("doc_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("kinds", Text, nullable=False),  # joined by blanks, in order
    Column("changed", Text, nullable=False),  # watched keys that differ, joined by blanks
    Column("before", LargeBinary),  # what came after stands in the next event, or in the snapshot
    Column("before_layout", Integer),
    Column("noticed_at", Text, nullable=False),
    Column("found_by", Text, nullable=False),  # dates, open, keys or full
    Column("ours", Text),  # JSON {kind: row of writes}: the kinds that are kdsync's own doing
    sqlite_with_rowid=False,
)

notifications = Table(
    "notifications",  # what one rule tells about one event
    metadata,
    Column("id", Text, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("doc_id", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("state", Text, nullable=False),  # gathered, matched, addressed, storm, held, shadow, broken, dropped
    Column("recipients", Text, nullable=False),  # JSON: the recipients as written, with the values they need
    Column("contents", LargeBinary, nullable=False),  # JSON {locale: [title, body, link, fields]}
    Column("created_at", Text, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt_at", Text, nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("strange", Text),  # why its event may be none: the document is older than it was, or is another one
    Column("storm", Text),  # the notification that sums it up with others
    Column("offer", LargeBinary),  # JSON: what its reader may answer, and what it was told about
)
Index(None, notifications.c.state, notifications.c.next_attempt_at)
Index(None, notifications.c.number)
Index(
    "ix_notifications_unaddressed",
    notifications.c.form,
    notifications.c.doc_id,
    notifications.c.created_at,
    sqlite_where=notifications.c.state == "matched",
)
Index(None, notifications.c.storm, sqlite_where=notifications.c.storm.is_not(None))

outbox = Table(
    "outbox",  # what one recipient is told by one notification
    metadata,
    Column("id", Text, primary_key=True),
    Column("notification_id", Text, nullable=False),
    Column("channel", Text, nullable=False),  # work, card or group
    Column("target", Text, nullable=False),  # userid, or name of the group
    Column("content", LargeBinary, nullable=False),  # the message as DingTalk gets it, byte by byte
    Column("content_id", Text, nullable=False),  # equal for rows that one call can carry
    Column("urgency", Integer, nullable=False),  # 0 goes first
    Column("state", Text, nullable=False),  # waiting, leased, accepted, dead, dropped
    Column("attempts", Integer, nullable=False, default=0),
    Column("alone", Integer, nullable=False, default=0),  # 1: refused together with others, so sent by itself
    Column("next_attempt_at", Text, nullable=False),
    Column("lease_until", Text),
    Column("created_at", Text, nullable=False),
    Column("accepted_at", Text),
    Column("task_id", Text),
    Column("reason", Text, nullable=False, default=""),
    Column("thread", Text),  # form and id of the document: what one recipient gets about it keeps its order
)
Index(None, outbox.c.state, outbox.c.next_attempt_at)
Index(None, outbox.c.thread, outbox.c.target)
Index(  # what is still to be sent, in order, with all that tells whether it can be sent now
    "ix_outbox_unsent",
    outbox.c.urgency,
    outbox.c.created_at,
    outbox.c.id,
    outbox.c.state,
    outbox.c.next_attempt_at,
    outbox.c.lease_until,
    outbox.c.channel,
    sqlite_where=outbox.c.state.in_(("waiting", "leased")),
)
Index(None, outbox.c.notification_id)
Index(None, outbox.c.target, outbox.c.accepted_at)
Index(None, outbox.c.accepted_at)

attempts = Table(
    "attempts",  # every try to send, and what came of it
    metadata,
    Column("id", Integer, primary_key=True),
    Column("outbox_id", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("outcome", Text, nullable=False),  # started, accepted, or a FailureKind
    Column("detail", Text, nullable=False, default=""),
)
Index(None, attempts.c.outbox_id)
Index(  # what may have been shown
    "ix_attempts_unheard", attempts.c.at, attempts.c.outbox_id, sqlite_where=attempts.c.outcome == "unknown_outcome"
)

people = Table(
    "people",  # whom a Kingdee user, employee or phone number is in DingTalk
    metadata,
    Column("key", Text, primary_key=True),
    Column("userid", Text),  # None: nobody was found
    Column("via", Text, nullable=False),  # mobile, job_number, table, or why nobody was found
    Column("refreshed_at", Text, nullable=False),
)

calls = Table(
    "calls",  # the month's ledger of DingTalk calls, by calendar month in Shanghai
    metadata,
    Column("month", Text, primary_key=True),
    Column("api", Text, primary_key=True),
    Column("metered", Integer, nullable=False),
    Column("count", Integer, nullable=False),
)

logins = Table(
    "logins",  # refused passwords: an account locks after five
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Text, nullable=False),
)

tasks = Table(
    "tasks",  # what Kingdee's workflow waits for, one row a receiver
    metadata,
    Column("item_id", Text, primary_key=True),
    Column("task_id", Text, nullable=False),
    Column("form", Text, nullable=False),  # as the rules spell it
    Column("number", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("receiver", Text, nullable=False),  # id of a Kingdee user
    Column("since", Text, nullable=False),  # local to the server, as Kingdee prints it
    Column("seen_at", Text, nullable=False),
    Column("state", Text, nullable=False),  # waiting, gone
    Column("gone_at", Text),
)
Index(None, tasks.c.state, tasks.c.form)
Index(None, tasks.c.number)

inbox = Table(
    "inbox",  # what people answered in DingTalk, and what became of it
    metadata,
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),  # message or click
    Column("sender", Text, nullable=False),  # userid; empty for somebody from outside
    Column("content", LargeBinary, nullable=False),  # JSON: what was said, and where
    Column("received_at", Text, nullable=False),
    Column("state", Text, nullable=False),  # waiting, done, refused, failed, ignored
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt_at", Text, nullable=False),
    Column("action", Text, nullable=False, default=""),  # id of the action it was understood as
    Column("form", Text, nullable=False, default=""),
    Column("doc_id", Text, nullable=False, default=""),
    Column("number", Text, nullable=False, default=""),
    Column("step", Integer, nullable=False, default=0),  # how many steps of the action are verified
    Column("reason", Text, nullable=False, default=""),
    Column("finished_at", Text),
)
Index(None, inbox.c.state, inbox.c.next_attempt_at)
Index(None, inbox.c.number)

cards = Table(
    "cards",  # the cards with buttons, and what they show by now
    metadata,
    Column("track", Text, primary_key=True),  # DingTalk's outTrackId
    Column("notification_id", Text, nullable=False),
    Column("content_id", Text, nullable=False),  # of the letters that it carries
    Column("locale", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("doc_id", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("version", Integer, nullable=False),  # of the snapshot that was looked at last
    Column("item_id", Text, nullable=False),  # of the task that it is about; empty for other documents
    Column("face", LargeBinary, nullable=False),  # as DingTalk got it first
    Column("shown", LargeBinary, nullable=False),  # JSON: what was offered, and what is said below it, to whom
    Column("state", Text, nullable=False),  # open, over, unsent or lost
    Column("dirty", Integer, nullable=False),  # how many changes DingTalk does not know yet
    Column("answers", Text, nullable=False),  # the replies that it stands for, joined by blanks
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Text, nullable=False),
)
Index(None, cards.c.state, cards.c.form)
Index(None, cards.c.notification_id)
Index(None, cards.c.dirty, cards.c.next_attempt_at)

codes = Table(
    "codes",  # who has one-time codes
    metadata,
    Column("userid", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),  # JSON {"userid", "secret"}: nobody else's can stand here
    Column("enrolled_at", Text, nullable=False),
    Column("last_step", Integer, nullable=False),  # of 30 s since 1970; its code and earlier ones count no more
    Column("wrong", Integer, nullable=False),  # codes since the last right one
    Column("locked_until", Text),
)

writes = Table(
    "writes",  # every write to Kingdee: recorded before it is sent, and what came of it
    metadata,
    Column("id", Integer, primary_key=True),
    Column("inbox_id", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("form", Text, nullable=False),
    Column("doc_id", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("target", Text, nullable=False),  # item id of the task that is answered, or key field of a new document
    Column("user", Text, nullable=False),  # userid of who asked for it
    Column("at", Text, nullable=False),
    Column("outcome", Text, nullable=False),  # intended, sent, verified, refused, unknown
    Column("detail", Text, nullable=False, default=""),
    Column("wanted", LargeBinary),  # JSON: how the document stood before, and the values that a save sends
    Column("showed", LargeBinary),  # JSON: the same as Kingdee showed them once it was done
    Column("met", Text, nullable=False, default=""),  # the event that it explains, or never; empty: none so far
)
Index(None, writes.c.inbox_id)
Index(None, writes.c.number)
Index("ix_writes_unmet", writes.c.form, sqlite_where=writes.c.met == "")
