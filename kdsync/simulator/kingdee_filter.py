"""Kingdee's FilterString in SQLite's words.

Kingdee hands the string to its own SQL dialect (KSQL). Understood here: and, or, not, brackets, comparisons, in, like,
between, is null, texts with doubled quotes, numbers and `{ts'…'}`. Functions and subqueries are refused, as an
installation may do. Every literal becomes a bound parameter of the column's kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdsync.simulator.kingdee_answers import Refusal, bad_filter
from kdsync.simulator.kingdee_forms import Kind
from kdsync.simulator.kingdee_values import BLANK, read_moment, show_amount

TOKEN = re.compile(
    r"\s*(?:(?P<text>[Nn]?'(?:[^']|'')*')"
    r"|\{\s*[tT][sS]\s*(?P<stamp>'[^']*')\s*\}"
    r"|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])"
    r"|(?P<word>[^\W\d][\w.]*)"
    r"|(?P<sign><>|!=|<=|>=|[=<>(),]))"
)
COMPARISONS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
CODES = {"67": "=", "105": "="}  # ids that the official page's generator puts into the list form
LONGEST_INTEGER = 18


@dataclass(frozen=True, slots=True)
class Token:
    kind: str  # text, stamp, number, word, sign or end
    value: str


@dataclass(frozen=True, slots=True)
class Operand:
    """A column (`kind` set) or a literal that takes the kind of what it is compared with."""

    sql: str
    kind: Kind | None = None
    literal: str = ""


Resolve = Callable[[str], tuple[str, Kind]]
"""The SQL of a column and its kind by Kingdee's key; raises `Refusal` for a key that does not exist."""


def compile_filter(text: str | Sequence[Mapping[str, Any]], resolve: Resolve) -> tuple[str, list[Any]]:
    """The WHERE clause and its parameters; `1` for an empty filter. Raises `Refusal`."""
    if not isinstance(text, str):
        text = _spell_out(text)
    if not text.strip():
        return "1", []
    parser = _Parser(_tokens(text), resolve)
    return parser.parse(), parser.parameters


def _spell_out(conditions: Sequence[Mapping[str, Any]]) -> str:
    """The string form of the list form."""
    words: list[str] = []
    for position, one in enumerate(conditions):
        if position:
            words.append("or" if str(conditions[position - 1].get("Logic", 0)).upper() in ("1", "OR") else "and")
        compare = str(one.get("Compare", ""))
        value = str(one.get("Value", "")).replace("'", "''")
        words += [str(one.get("Left", "")), str(one.get("FieldName", "")), CODES.get(compare, compare)]
        words += [f"({one.get('Value')})" if compare.upper() == "IN" else f"'{value}'", str(one.get("Right", ""))]
    return " ".join(words)


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise bad_filter(f"“{text[position : position + 20]}”附近有语法错误")
        found.append(Token(match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return [*found, Token("end", "")]


class _Parser:
    """Recursive descent, one method a rule, weakest binding first."""

    def __init__(self, tokens: list[Token], resolve: Resolve) -> None:
        self._tokens = tokens
        self._at = 0
        self._resolve = resolve
        self.parameters: list[Any] = []

    def parse(self) -> str:
        sql = self._either()
        if self._tokens[self._at].kind != "end":
            raise self._misplaced()
        return sql

    def _either(self) -> str:
        parts = [self._both()]
        while self._skip("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})"

    def _both(self) -> str:
        parts = [self._negated()]
        while self._skip("and"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else f"({' AND '.join(parts)})"

    def _negated(self) -> str:
        if self._skip("not"):
            return f"(NOT {self._negated()})"
        if self._skip("("):
            inner = self._either()
            self._expect(")")
            return f"({inner})"
        return self._predicate()

    def _predicate(self) -> str:
        left = self._operand()
        if self._skip("is"):
            negated = "NOT " if self._skip("not") else ""
            self._expect("null")
            return f"({self._bound(left, left)} IS {negated}NULL)"
        negated = "NOT " if self._skip("not") else ""
        if self._skip("in"):
            return f"({self._bound(left, left)} {negated}IN {self._list(left)})"
        if self._skip("like"):
            return self._like(left, negated)
        if self._skip("between"):
            return self._between(left, negated)
        if negated:
            raise self._misplaced()
        return self._comparison(left)

    def _comparison(self, left: Operand) -> str:
        token = self._take()
        if token.value not in COMPARISONS:
            raise bad_filter(f"“{token.value}”附近有语法错误")
        right = self._operand()
        return f"({self._bound(left, right)} {COMPARISONS[token.value]} {self._bound(right, left)})"

    def _list(self, left: Operand) -> str:
        self._expect("(")
        items = [self._bound(self._operand(), left)]
        while self._skip(","):
            items.append(self._bound(self._operand(), left))
        self._expect(")")
        return f"({', '.join(items)})"

    def _like(self, left: Operand, negated: str) -> str:
        pattern = self._operand()
        if left.kind is not Kind.TEXT or pattern.kind is not None or "[" in pattern.literal:
            raise bad_filter("like")
        sql = self._bound(left, left)
        self.parameters.append(pattern.literal)
        return f"({sql} {negated}LIKE ?)"

    def _between(self, left: Operand, negated: str) -> str:
        sql = self._bound(left, left)
        low = self._bound(self._operand(), left)
        self._expect("and")
        return f"({sql} {negated}BETWEEN {low} AND {self._bound(self._operand(), left)})"

    def _operand(self) -> Operand:
        token = self._take()
        if token.kind == "word":
            if self._tokens[self._at].value == "(" or token.value.lower() == "select":
                raise bad_filter(f"“{token.value}”不是允许的函数或子查询")
            sql, kind = self._resolve(token.value)
            return Operand(sql, kind)
        if token.kind == "number":
            return Operand("?", literal=token.value)
        if token.kind in ("text", "stamp"):
            return Operand("?", literal=token.value.lstrip("Nn")[1:-1].replace("''", "'"))
        raise bad_filter(f"“{token.value}”附近有语法错误")

    def _bound(self, operand: Operand, other: Operand) -> str:
        """The operand's SQL; a literal is bound as the kind of the `other` side."""
        if operand.kind is Kind.AMOUNT:
            return f"CAST({operand.sql} AS REAL)"
        if operand.kind is not None:
            return operand.sql
        try:
            self.parameters.append(_literal(other.kind, operand.literal))
        except ValueError:
            raise bad_filter(f"从字符串“{operand.literal}”转换失败") from None
        return "CAST(? AS REAL)" if other.kind is Kind.AMOUNT else "?"

    def _take(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _skip(self, wanted: str) -> bool:
        token = self._tokens[self._at]
        if token.kind not in ("word", "sign") or token.value.lower() != wanted:
            return False
        self._at += 1
        return True

    def _expect(self, wanted: str) -> None:
        if not self._skip(wanted):
            raise self._misplaced()

    def _misplaced(self) -> Refusal:
        return bad_filter(f"“{self._tokens[self._at].value}”附近有语法错误")


def _literal(kind: Kind | None, text: str) -> str | int:
    match kind:
        case Kind.INTEGER | Kind.FLAG:
            return int(text)
        case Kind.REFERENCE:
            return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_INTEGER else text
        case Kind.AMOUNT:
            return show_amount(text)
        case Kind.DATE | Kind.DATETIME:
            return read_moment(text)
        case _:
            return text.rstrip() or BLANK  # SQL Server ignores trailing blanks; empty texts are kept as one blank
