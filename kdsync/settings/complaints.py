"""Puts what pydantic found wrong into an operator's words, at the place in the file."""

from __future__ import annotations

import re
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kdsync.errors import Problem
from kdsync.rules.mistakes import did_you_mean
from kdsync.rules.schema import Section
from kdsync.settings.places import Where, YamlFile

NOT_YET = frozenset({"escalate", "tests"})  # sections of later versions

MARKS = frozenset({"[text]", "[by key]", "[key]"})
"""Steps that pydantic adds to a location and no file has."""

EXPECTED = {
    "string_type": "text is expected",
    "int_type": "a whole number is expected",
    "int_from_float": "a whole number is expected",
    "bool_type": "true or false is expected",
    "model_type": "a mapping (lines of key: value) is expected",
    "dict_type": "a mapping (lines of key: value) is expected",
    "mapping_type": "a mapping (lines of key: value) is expected",
    "tuple_type": "a list is expected",
    "too_short": "at least one is needed",
    "string_too_short": "is empty",
    "string_too_long": "is too long",
    "string_pattern_mismatch": "does not look right",
}
PATTERNS = {
    "id": "an id is made of small letters, digits, '.', '_' and '-', at most 64",
    "form": "a form's id is made of letters, digits and '_', such as AP_PAYBILL",
    "field": "the key of a field is made of letters, digits and '_', such as FREALPAYAMOUNTFOR",
    "process": "a process code has no blanks, such as PROC-3B2E7A52-6F1C-4D7E-9F0A-1C5D8E2B7A90",
    "card_template": "the id of a template ends in .schema, as the card platform shows it",
    "operation": "the number of an operation is made of letters, digits and '_', such as BillClose",
    "to": "a form's id is made of letters, digits and '_', such as AP_PAYBILL",
    "forms": "a form's id is made of letters, digits and '_', such as AP_PAYBILL",
}


def complaints(file: YamlFile, model: type[Section], error: ValidationError) -> list[Problem]:
    """One problem for each error of `model`'s validation of the whole file."""
    return [
        _complaint(file, model, _where(details), details)
        for details in error.errors(include_url=False)
        if not _told_already(file, details)
    ]


def _where(details: ErrorDetails) -> Where:
    return tuple(step for step in details["loc"] if step not in MARKS)


def _told_already(file: YamlFile, details: ErrorDetails) -> bool:
    """A value that YAML could not give, or a list that is short because its entries are wrong."""
    where = _where(details)
    return file.unreadable(where) or (details["type"] == "too_short" and bool(file.value(where)))


def _complaint(file: YamlFile, model: type[Section], where: Where, details: ErrorDetails) -> Problem:
    kind = details["type"]
    if kind == "missing":
        return file.missing(where, "is required")
    if kind == "extra_forbidden":
        return _unknown_key(file, model, where)
    if kind in ("literal_error", "enum"):
        return _unknown_word(file, where, details)
    if kind == "value_error":
        return file.at(where, str(details["ctx"]["error"]))
    if kind in ("greater_than", "greater_than_equal"):
        least = details["ctx"].get("gt", details["ctx"].get("ge"))
        return file.at(where, f"must be {'more than' if kind == 'greater_than' else 'at least'} {least}")
    return _unexpected(file, where, details)


def _unknown_key(file: YamlFile, model: type[Section], where: Where) -> Problem:
    key = str(where[-1])
    if key in NOT_YET:
        return file.at_key(where, "is not supported by this version")
    known = [field.alias or name for name, field in section_at(model, where[:-1]).model_fields.items()]
    return file.at_key(where, "unknown key", did_you_mean(key, known) or f"known are {', '.join(known)}")


def _unknown_word(file: YamlFile, where: Where, details: ErrorDetails) -> Problem:
    words = re.findall("'([^']*)'", details["ctx"]["expected"])
    in_key = details["loc"][-1] == "[key]"
    written = str(where[-1]) if in_key else file.written.get(file.nearest(where), details["input"])
    if not isinstance(written, str):
        return file.at(where, f"one of {', '.join(words)} is expected")
    complain = file.at_key if in_key else file.at
    return complain(where, f"{written} is not one of {', '.join(words)}", did_you_mean(written, words))


def _unexpected(file: YamlFile, where: Where, details: ErrorDetails) -> Problem:
    kind, value = details["type"], details["input"]
    message = EXPECTED.get(kind, details["msg"])
    if kind == "string_pattern_mismatch":
        about_key = details["loc"][-1] == "[key]"
        name = where[-2] if about_key else where[-1]
        return (file.at_key if about_key else file.at)(where, f"{value}: {message}", PATTERNS.get(str(name), ""))
    if value is None:
        hint = "text that begins with # needs quotes" if kind == "string_type" else ""
        return file.at(where, f"is empty; {message}", hint)
    if kind == "string_type" and (written := file.written.get(file.nearest(where))):
        return file.at(where, message, f'put it in quotes: "{written}"')
    if kind == "tuple_type" and isinstance(value, str):
        return file.at(where, message, f"put it in brackets: [{value}]")
    return file.at(where, message)


def section_at(model: type[Section], where: Where) -> type[Section]:
    """The model of the mapping at `where` in a file of `model`; keys of plain mappings and positions lead nowhere."""
    for step in where:
        field = model.model_fields.get(str(step))
        model = (_section_in(field.annotation) if field else None) or model
    return model


def _section_in(annotation: Any) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_in(part))), None)
