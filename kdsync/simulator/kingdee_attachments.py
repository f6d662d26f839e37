"""Attachments of the simulated Kingdee: sent in pieces, listed in BOS_Attachment, read back in pieces.

What a document has is known with the last piece only; a caller that leaves IsLast out is told yes, and nothing is
kept. Sources: V6.0 WebAPI manual, "AttachmentUpLoad" and "AttachmentDownLoad", and what integrators found out.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from random import Random
from typing import Any

from kdsync.simulator.kingdee_answers import MsgCode, Refusal, result, status
from kdsync.simulator.kingdee_documents import Documents
from kdsync.simulator.kingdee_forms import Form
from kdsync.simulator.kingdee_save import switched

UPLOADS = frozenset({"AttachmentUpLoad", "AttachmentUpload"})
"""The manual's spelling and the official SDK's."""
REQUIRED = ("FileName", "FormId", "InterId", "BillNO", "SendByte")
PIECE = 1024 * 1024  # bytes of a download
LIST = Form.parse(
    "BOS_Attachment",
    "FBillType FBillNo FInterID FEntryKey FEntryInterID FFileId FAttachmentName FaliasFileName FExtName "
    "FAttachmentSize:amount FFileStorage FCreateMen>SEC_User FCreateTime:datetime",
    number="",
    status="",
    approved="",
    approver="",
    name="附件",
)


class Attachments:
    """The files of all documents."""

    def __init__(self, documents: Documents, random: Random) -> None:
        self._documents = documents
        self._random = random
        self._files: dict[str, bytearray] = {}
        documents.tables.define(LIST)

    def of(self, form: Form, doc_id: int | str) -> dict[str, bytes]:
        """The content of each file that hangs on a document, by name."""
        shown = (self._documents.shown(LIST, found) for found in self._documents.tables.ids(LIST))
        ours = (item for item in shown if (item["FBillType"], item["FInterID"]) == (form.id, str(doc_id)))
        return {item["FAttachmentName"]: bytes(self._files[item["FFileId"]]) for item in ours}

    def upload(self, form: Form, data: Mapping[str, Any], user: int) -> dict[str, Any]:
        """The answer to one piece. Raises `Refusal`."""
        self._check(form, data)
        piece = _decoded(data["SendByte"])
        file_id = str(data.get("FileId") or "") or f"{self._random.getrandbits(128):032x}"
        if data.get("FileId") and file_id not in self._files:
            raise Refusal(MsgCode.DEFAULT, f"数据库文件信息表中不存在编码为{file_id}的文件信息")
        content = self._files.setdefault(file_id, bytearray())
        content += piece
        last = switched(data, "IsLast", default=False)
        done = [{"Id": self._hang(form, data, user, file_id), "Number": "", "DIndex": 0}] if last else []
        return result(status(done=done), FileId=file_id, Message="")

    def download(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """One piece of a file. Raises `Refusal`."""
        file_id, word = str(data.get("FileId") or ""), str(data.get("StartIndex") or 0)
        start = int(word) if word.isdecimal() else 0
        listed = self._documents.tables.ids(LIST)
        item = next((one for one in map(self._shown, listed) if one["FFileId"] == file_id), None)
        if item is None:
            raise Refusal(MsgCode.DEFAULT, f"数据库文件信息表中不存在编码为{file_id}的文件信息")
        content = self._files[file_id]
        end = start + PIECE
        told = {"StartIndex": end, "IsLast": end >= len(content), "FileSize": len(content)}
        piece = base64.b64encode(content[start:end]).decode()
        return result(status(), **told, FileName=item["FAttachmentName"], FilePart=piece, Message="")

    def _shown(self, doc_id: int | str) -> dict[str, Any]:
        return self._documents.shown(LIST, doc_id)

    def _check(self, form: Form, data: Mapping[str, Any]) -> None:
        missing = next((key for key in REQUIRED if data.get(key) is None), "")
        if missing:
            raise Refusal(MsgCode.PARAMETER, f"data数据包中的参数{missing}必传")
        if bool(data.get("Entrykey")) != (str(data.get("EntryinterId") or "-1") != "-1"):
            raise Refusal(MsgCode.PARAMETER, "参数Entrykey和EntryinterId必须同时传递")
        word = str(data["InterId"])
        try:
            self._documents.record(form, int(word) if word.isdigit() else word)
        except KeyError:
            raise Refusal(MsgCode.NO_DATA, f"内码为“{word}”的单据不存在") from None

    def _hang(self, form: Form, data: Mapping[str, Any], user: int, file_id: str) -> int | str:
        name = str(data["FileName"])
        stamp = self._documents.stamp(user)
        fields = {
            "FBillType": form.id,
            "FBillNo": str(data["BillNO"]),
            "FInterID": str(data["InterId"]),
            "FEntryKey": str(data.get("Entrykey") or ""),
            "FEntryInterID": str(data.get("EntryinterId") or "-1"),
            "FFileId": file_id,
            "FAttachmentName": name,
            "FaliasFileName": str(data.get("AliasFileName") or ""),
            "FExtName": f".{name.rpartition('.')[2]}" if "." in name else "",
            "FAttachmentSize": round(len(self._files[file_id]) / 1024, 2),
            "FFileStorage": "0",
            "FCreateMen": stamp.user,
            "FCreateTime": stamp.moment,
        }
        return self._documents.create(LIST, user, number=None, status="", entries=(), fields=fields)


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except ValueError:
        raise Refusal(MsgCode.PARAMETER, "参数SendByte不是有效的Base64") from None
