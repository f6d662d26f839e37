"""Turns what Jinja and Python say about an expression into what an operator can use."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import DivisionByZero, InvalidOperation, Overflow

_KINDS = dict.fromkeys(("int", "float", "Amount", "Decimal", "NumberReference"), "a number") | {
    "str": "text",
    "TextReference": "text",
    "bool": "true or false",
    "datetime": "a date with time",
    "date": "a date",
    "timedelta": "a span of time",
    "list": "a list",
    "generator": "a list",
    "Record": "a document",
    "Missing": "nothing",
    "MissingReference": "nothing",
    "NoneType": "nothing",
}
_QUOTED = r"'([^']*)'"

_SYNTAX: tuple[tuple[str, str], ...] = (
    (r"unexpected 'end of (template|print statement|statement block)'", "something is missing at the end"),
    (r"expected token 'end of .*', got '='|unexpected '='", "'=' does not belong there; compare with =="),
    (r"unexpected '(.*)', expected '(.*)'", "'{1}' is missing before '{0}'"),
    (r"expected name or number", "a name is missing after a point"),
    (r"[Uu]nexpected end of template.*needs to be closed is '(\w+)'.*", "'{{% end{0} %}}' is missing at the end"),
    (r"[Uu]nexpected end of template.*", "something is missing at the end"),
    (r"expected token 'end of print statement', got '(.*)'", "'}}}}' is missing, or '{0}' does not belong there"),
    (r"expected token 'end of statement block', got '(.*)'", "'%}}' is missing, or '{0}' does not belong there"),
    (r"expected token '(.*)', got 'end of .*'", "'{0}' is missing"),
    (r"expected token '(.*)', got '(.*)'", "'{0}' is missing before '{1}'"),
    (r"""unexpected char ("'"|'"'|'\\'') at \d+""", "a quoted text does not end"),
    (r"unexpected char '(.*)' at \d+", "'{0}' does not belong there"),
    (r"Expected an expression, got 'end of .*'", "something is missing between the brackets"),
    (r"unexpected '(.*)'", "'{0}' does not belong there"),
    (r"Encountered unknown tag '(else|elif)'.*", "'{{% {0} %}}' has no '{{% if %}}' before it"),
    (r"Encountered unknown tag 'end(\w+)'.*", "'{{% end{0} %}}' has no '{{% {0} %}}' before it"),
    (r"Encountered unknown tag '(\w+)'.*", "'{{% {0} %}}' is not available here; if, for and set are"),
    (r"Missing end of comment tag", "'#}}' is missing"),
    (r"Missing end of raw directive", "'{{% endraw %}}' is missing"),
    (r"tag name expected", "the name of a statement is missing after '{{%'"),
    (r"can't assign to '(\w+)'", "'{0}' cannot be given a value"),
    (r"Invalid character in identifier", "there is a character that no name can have"),
)

_VALUES: tuple[tuple[str, str], ...] = (
    (r"Exceeds the limit \(\d+ digits\).*", "a number is too large"),
    (rf"{_QUOTED} not supported between instances of {_QUOTED} and {_QUOTED}", "{1} cannot be compared with {2}"),
    (
        r"can't compare datetime\.datetime to .*",
        "a date with time cannot be compared with a date; write .date() behind it",
    ),
    (rf"{_QUOTED} cannot be in text", "{0} cannot be in text; list texts as in ('A', 'B')"),
    (rf"unsupported operand type\(s\) for ([^:]+): {_QUOTED} and {_QUOTED}", "{1} {0} {2} cannot be worked out"),
    (r'can only concatenate (\w+) \(not "(\w+)"\) to \w+', "{0} + {1} cannot be worked out; join texts with ~"),
    (rf"bad operand type for (?:unary [-+]|abs\(\)): {_QUOTED}", "{0} has no sign"),
    (rf"{_QUOTED} object is not iterable", "{0} is no list"),
    (rf"object of type {_QUOTED} has no len\(\)", "{0} has no length"),
    (rf"{_QUOTED} object is not callable", "{0} is no function"),
    (rf"argument of type {_QUOTED} is not iterable", "nothing can be in {0}"),
)


_FOREIGN: tuple[tuple[str, str], ...] = (
    (r"&&", "write and"),
    (r"\|\|", "write or"),
    (r"<>", "write !="),
    (r"=[<>]", "write <= or >="),
    (r"!(?!=)", "write not"),
    (r"[“”‘’，（）]", "write quotes, commas and brackets as in English: ' , ( )"),
    (r"\d,\d{3}(?!\d)", "write numbers without separators, such as 10000"),
    (r"\?", "write A if CONDITION else B"),
    (r"\b(contains|like|matches)\b", "write 'text' in doc.FKEY"),
)
"""What other languages have, and what this one has for it."""


def remedy(source: str) -> str:
    """A hint for a condition that cannot be read; '' where nothing in it is known from elsewhere."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "''", source)
    return next((hint for pattern, hint in _FOREIGN if re.search(pattern, bare)), "")


def explain_syntax(message: str) -> str:
    """A syntax error of Jinja in plain words."""
    return _first(_SYNTAX, message, str) or "cannot be read: " + message.replace("Jinja", "the language")


def explain(error: Exception) -> str:
    """An error that came up while an expression was worked out, in plain words."""
    if isinstance(error, ZeroDivisionError | DivisionByZero):
        return "division by zero"
    if isinstance(error, Overflow | OverflowError):
        return "a number is too large"
    if isinstance(error, InvalidOperation):
        return "a value is no number, or too large a one"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    text = str(error).strip()
    return _first(_VALUES, text, _kind) or text or type(error).__name__


def _kind(word: str) -> str:
    return _KINDS.get(word.rpartition(".")[2], word)


def _first(table: tuple[tuple[str, str], ...], message: str, word: Callable[[str], str]) -> str:
    for pattern, plain in table:
        found = re.fullmatch(pattern, message, re.DOTALL)
        if found:
            return plain.format(*(word(group or "") for group in found.groups()))
    return ""
