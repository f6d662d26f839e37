"""`kdsync schema`: JSON Schema of the YAML files, for editors that complete and check while one types."""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from kdsync.rules.durations import LENGTH, written_duration
from kdsync.rules.schema import Section
from kdsync.settings.schema import Directory, MainFile, RuleFile
from kdsync.settings.values import HOURS, written_times

WRONG_USAGE = 2
FILES: dict[str, type[Section]] = {"kdsync": MainFile, "rules": RuleFile, "directory": Directory}


class _AsWritten(GenerateJsonSchema):
    """Without titles, which only repeat the keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # pydantic's signature
        return False


def schema(which: str) -> dict[str, Any]:
    """JSON Schema of `kdsync` (kdsync.yaml), `rules` (a file of rules) or `directory` (directory.yaml).

    KeyError where there is no such file.
    """
    found: dict[str, Any] = _with_written_defaults(FILES[which].model_json_schema(schema_generator=_AsWritten))
    return {"$schema": GenerateJsonSchema.schema_dialect, **found}


def print_schema(which: str) -> int:
    """Print one schema; the exit code of the command."""
    if which not in FILES:
        print(f"kdsync schema: {which} is not one of {', '.join(FILES)}", file=sys.stderr)
        return WRONG_USAGE
    print(json.dumps(schema(which), ensure_ascii=False, indent=2))
    return 0


def _with_written_defaults(part: Any) -> Any:
    """Durations and hours have the defaults that one would type, not those of the program."""
    if isinstance(part, list):
        return [_with_written_defaults(item) for item in part]
    if not isinstance(part, dict):
        return part
    pattern, default = part.get("pattern"), part.get("default")
    inner = {key: _with_written_defaults(value) for key, value in part.items()}
    if pattern == f"^{LENGTH}$" and isinstance(default, float):
        inner["default"] = written_duration(default)
    if pattern == f"^{HOURS}$" and default:
        inner["default"] = written_times(default)
    return inner
