"""What fills in a field of a new document: text with `{{ … }}` in it, or one value of any type that stands alone.

`{{ form["金额"] }}` alone is an amount; `报销 {{ form["金额"] }}` is text. The language is that of rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2 import Template as JinjaTemplate
from jinja2.environment import TemplateExpression
from jinja2.runtime import Undefined

from kdsync.rules import language, vocabulary
from kdsync.rules.approvals import FILTERS, Fields, Lookup
from kdsync.rules.expressions import Names, check_length, exactly, settled, sound, unreadable
from kdsync.rules.meaning import OF_APPROVALS, OF_ROWS
from kdsync.rules.mistakes import ExpressionError
from kdsync.rules.reader import read
from kdsync.rules.wording import explain


class _Language(language.Language):
    """`form.x` is a field of the form, whatever else it could be."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        return obj[attribute] if isinstance(obj, Fields) else super().getattr(obj, attribute)


def _language() -> language.Language:
    found = _Language()
    found.filters |= {language.COUNTED: language.MESSAGES.filters[language.COUNTED], **FILTERS}
    return found


LANGUAGE = _language()


@dataclass(frozen=True, slots=True)
class Filling:
    """Gives the value of a field; `alone` is set where it keeps its type. `form` and `row` are the names of the fields
    that have to be in the approval's form, and in the table's rows."""

    source: str
    alone: TemplateExpression | None
    _whole: JinjaTemplate
    form: frozenset[str]
    row: frozenset[str]

    def value(self, names: Names) -> Any:
        """Text, a number, a date, true or false, a Lookup, or None for nothing; ExpressionError where it fails."""
        told = {**names, language.TURNS: [0]}
        try:
            value = self.alone(told) if self.alone else self._whole.render(told)
            return _single(value)
        except Exception as error:
            raise ExpressionError(explain(error)) from error


def compile_filling(source: str, *, row: bool) -> Filling:
    """Read a filling, which may use `row` where told so; TextError tells all that is wrong with it."""
    try:
        check_length(source)
        tree = LANGUAGE.parse(source.strip())
        sound(read(tree, OF_ROWS if row else OF_APPROVALS, vocabulary.INTAKE_FILTERS))
        needed = frozenset(_needed(tree))
        whole = exactly(tree)
        only = _alone(whole)
        alone, text = _expression(only) if only else None, settled(LANGUAGE.from_string(whole))
        return Filling(source, alone, text, form=_of("form", needed), row=_of("row", needed))
    except Exception as error:
        raise unreadable(error) from error


def _needed(tree: nodes.Template) -> Iterator[tuple[str, str]]:
    """(form or row, name) of each field that is named there, but for those that may be missing."""
    asking = tree.find_all((nodes.Filter, nodes.Test))
    spared = {id(one.node) for one in asking if one.name in ("default", "d", "defined", "undefined")}
    parts: list[tuple[nodes.Expr, nodes.Expr, Any]] = [
        (one, one.node, one.attr) for one in tree.find_all(nodes.Getattr)
    ]
    parts += [(one, one.node, getattr(one.arg, "value", None)) for one in tree.find_all(nodes.Getitem)]
    for part, owner, name in parts:
        if isinstance(owner, nodes.Name) and isinstance(name, str) and id(part) not in spared:
            yield owner.name, name


def _of(owner: str, needed: frozenset[tuple[str, str]]) -> frozenset[str]:
    return frozenset(name for one, name in needed if one == owner)


def fill(part: Any, names: Names) -> Any:
    """The value of a field as it was written: fillings filled in, everything else as it is; None for nothing.

    What is nothing is left out of a mapping, and one such as `{FNumber: …}` is nothing where that was all. A Lookup
    inside of one stays a Lookup.
    """
    if isinstance(part, Filling):
        return part.value(names)
    if isinstance(part, Mapping):
        filled = ((key, fill(value, names)) for key, value in part.items())
        return {key: value for key, value in filled if value is not None} or None
    return part


def _alone(tree: nodes.Template) -> nodes.Expr | None:
    """The one value that a template consists of, if it does."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output) or len(tree.body[0].nodes) != 1:
        return None
    (only,) = tree.body[0].nodes
    return None if isinstance(only, nodes.TemplateData) else only


def _expression(tree: nodes.Expr) -> TemplateExpression:
    result = nodes.Assign(nodes.Name("result", "store"), tree, lineno=1)
    compiled = settled(LANGUAGE.from_string(nodes.Template([result], lineno=1)))
    return TemplateExpression(compiled, undefined_to_none=False)


def _single(value: Any) -> Any:
    """One value as a document can hold it."""
    if isinstance(value, StrictUndefined):
        bool(value)  # stumbles, and says why
    if value is None or isinstance(value, Undefined):
        return None
    if isinstance(value, str):
        return str(value).strip() or None
    if isinstance(value, bool | int | Decimal | date | Lookup):
        return value
    raise ValueError("it gives a list or a whole row; a field holds one value")
