"""Keeps new documents from losing values: Kingdee leaves out keys that it does not know, and says that all is well.

Source: in-product WebAPI help on Save and QueryBusinessInfo.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdsync.errors import EdgeError, FailureKind
from kdsync.kingdee.client import KingdeeClient
from kdsync.kingdee.metadata import Metadata, learn

UNKNOWN_KEY = "unknown-key"


class Keys:
    """Looks the keys of a new document up in its form; keep one for each client, for it remembers forms."""

    def __init__(self, client: KingdeeClient) -> None:
        self._client = client
        self._known: dict[str, Metadata] = {}

    def check(self, form: str, model: Mapping[str, Any]) -> None:
        """Raises EdgeError, CONFIGURATION, where the form lacks a key; a server that tells nobody what its forms have
        is not asked twice for the same document. What was learned is asked for anew before anything is refused."""
        known = self._known.get(form)
        if known is not None and not _lacking(known, model):
            return
        _, known = learn(self._client, form)
        if known is None:
            return
        self._known[form] = known
        if lacking := _lacking(known, model):
            message = f"{form} has no field or entry {', '.join(key for key, _ in lacking)}"
            hints = "; ".join(dict.fromkeys(hint for _, hint in lacking if hint))
            cure = f"correct the intake: {hints}" if hints else "correct the intake: kdsync check --live"
            raise EdgeError("kingdee", FailureKind.CONFIGURATION, UNKNOWN_KEY, message, cure=cure)


def _lacking(known: Metadata, model: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = {key: {name for row in value for name in row} for key, value in model.items() if isinstance(value, list)}
    return list(known.lacks([key for key in model if key not in rows], rows))
