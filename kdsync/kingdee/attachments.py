"""Files that hang on a document: which there are, and one more, sent piece by piece.

An upload belongs to the document with its last piece only, so that one which breaks off leaves nothing behind. Kingdee
knows no second upload from the first: who cannot tell whether the last piece arrived has to look for the name before
trying again. The list of attachments (BOS_Attachment) can be queried on most servers, and on some fails every time.
Sources: V6.0 WebAPI manual, "AttachmentUpLoad" (IsLast left out counts as false, and then nothing is kept although the
answer says yes); keys of BOS_Attachment as public integrations query and save them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kdsync.errors import EdgeError, FailureKind, UnknownFieldError
from kdsync.kingdee.answer import unexpected
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.operations import NO_SERVICE, write
from kdsync.kingdee.outcome import refused
from kdsync.kingdee.query import literal, select

ATTACHMENTS = "BOS_Attachment"
NAMES = ("FATTACHMENTNAME", "FAttachmentName")
"""The manual's spelling and the metadata's; a server may know only one of them."""
SPELLINGS = ("AttachmentUpLoad", "AttachmentUpload")
"""The manual's and the official SDK's."""
PIECE = 1024 * 1024
"""Bytes in one call; as base64 well below what IIS takes by default (4 MB)."""
LONGEST_NAME = 100  # characters
UNREADABLE = "attachments-unreadable"
"""The code of the EdgeError where the list of attachments cannot be read."""
DATABASE = "6"  # where the list is no ordinary form, a query fails like this every time
CLOSED = frozenset({"permission", "2", "unknown-form", "9", "bad-filter", DATABASE})
CURE = "grant the Kingdee user view permission on attachments; without it look at the document yourself"
UNFIT = re.compile(r'[\x00-\x1f\x7f\\/:*?"<>|]')
"""What no file on Windows is called, and the request filter may take for an attack."""


class Attachments:
    """Looks at the attachments of documents and adds to them; keep one for each client, for it learns spellings."""

    def __init__(self, client: KingdeeClient) -> None:
        self._client = client
        self._service = ""

    def names(self, form: str, doc_id: str) -> frozenset[str]:
        """The names of the files that hang on a document, at its head or at a row.

        Raises EdgeError: with the code `UNREADABLE` where this server does not let the list be read at all.
        """
        where = f"FBillType={literal(form)} and FInterID={literal(doc_id)}"
        try:
            rows = self._rows(where)
        except EdgeError as error:
            if error.code not in CLOSED:
                raise
            message = f"the attachments of documents cannot be listed: {error.words or error.message}"
            raise EdgeError("kingdee", FailureKind.CONFIGURATION, UNREADABLE, message, cure=CURE) from None
        return frozenset(str(name).strip() for name in rows if name)

    def upload(self, form: str, doc_id: str, number: str, name: str, content: bytes) -> None:
        """Hang a file on the head of a document, called `stored_name(name)`.

        Raises EdgeError: REFUSED where Kingdee does not take it, UNKNOWN_OUTCOME where it may hang there, and anything
        else where it does not.
        """
        told = {"FileName": stored_name(name), "FormId": form, "InterId": doc_id, "BillNO": number}
        file_id = ""
        for piece, last in _pieces(content):
            data = {**told, "IsLast": last, "SendByte": base64.b64encode(piece).decode()}
            file_id = self._send({**data, "FileId": file_id} if file_id else data, last=last)

    def _rows(self, where: str) -> list[Any]:
        """A database may fail once; where it fails twice in a row it is no accident."""
        try:
            return self._named(where)
        except EdgeError as error:
            if error.code != DATABASE:
                raise
        return self._named(where)

    def _named(self, where: str) -> list[Any]:
        for key in NAMES:
            try:
                return [row[key] for row in select(self._client, ATTACHMENTS, ("FID", key), where, strictly=True)]
            except UnknownFieldError as error:
                if error.field.casefold() != key.casefold() or key is NAMES[-1]:
                    raise
        raise AssertionError

    def _send(self, data: Mapping[str, Any], *, last: bool) -> str:
        """Send one piece; the id of the file."""
        try:
            answer = self._ask({"data": data})
        except EdgeError as error:
            raise _about_the_file(error, last=last) from None
        result = answer.get("Result") if isinstance(answer, Mapping) else None
        file_id = result.get("FileId") if isinstance(result, Mapping) else None
        if not isinstance(file_id, str | int) or not str(file_id).strip():
            raise _settled(unexpected("an upload should be answered with a FileId", read=False), last=last)
        return str(file_id)

    def _ask(self, body: Mapping[str, Any]) -> Any:
        """Until the server's spelling is known, what fails like a service that is not there is tried by the other."""
        if self._service:
            return write(self._client, self._service, body)
        for spelling in SPELLINGS:
            try:
                answer = write(self._client, spelling, body)
            except EdgeError as error:
                if error.code not in NO_SERVICE or spelling is SPELLINGS[-1]:
                    raise
            else:
                self._service = spelling
                return answer
        raise AssertionError


def stored_name(name: str) -> str:
    """What a file is called in Kingdee: without what no name may hold, and not too long; its extension stays."""
    clean = UNFIT.sub("_", name).strip(" .") or "file"
    stem, dot, extension = clean.rpartition(".")
    if len(clean) <= LONGEST_NAME or not stem or len(extension) >= LONGEST_NAME // 2:
        return clean[:LONGEST_NAME].rstrip(" .")
    return stem[: LONGEST_NAME - len(extension) - 1] + dot + extension


def _pieces(content: bytes) -> Iterator[tuple[bytes, bool]]:
    """Pieces, and whether each is the last; one of nothing for an empty file."""
    for start in range(0, max(len(content), 1), PIECE):
        yield content[start : start + PIECE], start + PIECE >= len(content)


def _about_the_file(error: EdgeError, *, last: bool) -> EdgeError:
    """A refusal of this very file says so; anything else is what it was."""
    try:
        outcome = refused(error, "")
    except EdgeError:
        return _settled(error, last=last)
    message = f"Kingdee does not take the file: {outcome.text}"
    return EdgeError("kingdee", FailureKind.REFUSED, outcome.code, message, cure=error.cure, words=outcome.text)


def _settled(error: EdgeError, *, last: bool) -> EdgeError:
    """Of a piece that is not the last it does not matter whether it arrived."""
    if error.kind is FailureKind.UNKNOWN_OUTCOME and not last:
        error.kind = FailureKind.TRANSIENT
    return error
