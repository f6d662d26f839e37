"""OperationResults: what WorkflowAudit says of each bill, where its Errors say nothing.

The in-product WebAPI help shows it as a text that holds JSON (`"{}"`); integrators saw objects with an ErrorCode and a
Message in it. How these are nested is not documented, so they are looked for at every depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kdsync import exact

DEEPEST = 20
MARKS = ("IsSuccess", "SuccessStatus")
"""Keys that say whether it went well, where there is no ErrorCode."""
NO_ERROR = frozenset({"", "0", "None", "False"})
NO_WORDS = "Kingdee does not say why"


def refusals(results: Any) -> list[str]:
    """Kingdee's words for each bill that was refused; ValueError never, a text that holds no JSON tells of none."""
    parsed = parsed_results(results)
    return [] if parsed is None else [_message(item) for item in _items(parsed) if _failed(item)]


def parsed_results(results: Any) -> Any:
    """The value behind OperationResults, whether it came as JSON or as a text of it; None where it cannot be read."""
    if isinstance(results, str):
        if not results.strip():
            return {}
        try:
            results = exact.loads(results.encode(errors="replace"))
        except ValueError:
            return None
    return results if isinstance(results, dict | list) and not exact.deeper_than(results, DEEPEST) else None


def _items(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every mapping, the outer ones first."""
    if isinstance(value, Mapping):
        yield value
        for part in value.values():
            yield from _items(part)
    elif isinstance(value, list):
        for part in value:
            yield from _items(part)


def _failed(item: Mapping[str, Any]) -> bool:
    error = item.get("ErrorCode")
    if error is not None and str(error).strip() not in NO_ERROR:
        return True
    return any(item.get(mark) is not None and str(item[mark]).strip().casefold() == "false" for mark in MARKS)


def _message(item: Mapping[str, Any]) -> str:
    return str(item.get("Message") or "").strip() or NO_WORDS
