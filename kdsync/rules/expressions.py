"""One language for conditions and messages: text in, something that works out values (and knows its fields) out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateSyntaxError, nodes
from jinja2.environment import TemplateExpression
from jinja2.parser import Parser
from jinja2.visitor import NodeTransformer

from kdsync.rules import language, vocabulary
from kdsync.rules.meaning import OF_EVENTS, OF_TASKS
from kdsync.rules.mistakes import ExpressionError
from kdsync.rules.reader import Findings, read
from kdsync.rules.wording import explain, explain_syntax, remedy

Names = Mapping[str, Any]
"""What an expression can see: `doc old event rule now task`, see `scope.py`."""


class TextError(ExpressionError):
    """A text cannot be read; `mistakes` holds a message and a hint for each reason."""

    def __init__(self, mistakes: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(message for message, _ in mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition; `heads` and `entries` are the field keys it looks at, `names` those of doc, old, … that it uses."""

    source: str
    heads: frozenset[str]
    entries: frozenset[str]
    names: frozenset[str]
    _compiled: TemplateExpression

    def value(self, names: Names) -> Any:
        """Its value; ExpressionError where the values do not go together."""
        try:
            return self._compiled(names)
        except Exception as error:
            raise ExpressionError(explain(error)) from error

    def holds(self, names: Names) -> bool:
        """Whether it is true; ExpressionError as in `value`."""
        return bool(self.value(names))


@dataclass(frozen=True, slots=True)
class Text:
    """A template of a message; `heads` and `entries` are the field keys it looks at."""

    source: str
    heads: frozenset[str]
    entries: frozenset[str]
    _compiled: JinjaTemplate

    def render(self, names: Names, style: language.Style) -> str:
        """The text, its values printed by `style`; ExpressionError where the values do not go together."""
        try:
            return self._compiled.render({**names, language.STYLE: style, language.TURNS: [0]})
        except Exception as error:
            raise ExpressionError(explain(error)) from error


def compile_expression(source: str, *, task: bool = False) -> Expression:
    """Read a condition, which may use `task` where told so; TextError tells all that is wrong with it."""
    if source.lstrip().startswith(("{{", "{%")):
        raise TextError([("a condition is written without {{ }}", "")])
    try:
        tree = _parse_expression(source)
        found = _checked(tree, message=False, task=task)
        result = nodes.Assign(nodes.Name("result", "store"), exactly(tree), lineno=1)
        compiled = settled(language.CONDITIONS.from_string(nodes.Template([result], lineno=1)))
    except Exception as error:
        raise unreadable(error, remedy(source)) from error
    result_of = TemplateExpression(compiled, undefined_to_none=False)
    return Expression(source, frozenset(found.heads), frozenset(found.entries), frozenset(found.names), result_of)


def compile_text(source: str, *, task: bool = False) -> Text:
    """Read a template, which may use `task` where told so; TextError tells all that is wrong with it."""
    try:
        check_length(source)
        tree = language.MESSAGES.parse(source)
        found = _checked(tree, message=True, task=task)
        compiled = settled(language.MESSAGES.from_string(_AsWritten().visit(exactly(tree))))
    except Exception as error:
        raise unreadable(error) from error
    return Text(source, frozenset(found.heads), frozenset(found.entries), compiled)


def settled(compiled: JinjaTemplate) -> JinjaTemplate:
    """The same with its globals in a plain mapping: Jinja copies them for each call, and its own chain of mappings
    takes longer to copy than most conditions take to work out."""
    compiled.globals = dict(compiled.globals)
    return compiled


def opening(source: str) -> str:
    """The plain text a readable template begins with; '' where it begins with a value."""
    return re.split(r"\{[{%#]", source, maxsplit=1)[0].lstrip()


def _parse_expression(source: str) -> nodes.Expr:
    check_length(source)
    parser = Parser(language.CONDITIONS, source, state="variable")
    tree = parser.parse_expression()
    if not parser.stream.eos:
        raise TemplateSyntaxError(f"unexpected '{parser.stream.current.value}'", parser.stream.current.lineno)
    tree.set_environment(language.CONDITIONS)
    return tree


def check_length(source: str) -> None:
    """TextError for a text that is too long."""
    if len(source) > vocabulary.LONGEST_TEXT:
        raise TextError([(f"is longer than {vocabulary.LONGEST_TEXT:,} characters", "")])


def _checked(tree: nodes.Node, *, message: bool, task: bool) -> Findings:
    more = (vocabulary.MESSAGE_FILTERS, vocabulary.MESSAGE_FUNCTIONS) if message else ()
    return sound(read(tree, OF_TASKS if task else OF_EVENTS, *more))


def sound(found: Findings) -> Findings:
    """What was found, where there is no mistake in it; TextError otherwise."""
    if found.mistakes:
        raise TextError(found.mistakes)
    return found


def unreadable(error: Exception, hint: str = "") -> TextError:
    """What came up while a text was read, as mistakes in it; `hint` is for what cannot be parsed."""
    if isinstance(error, TextError):
        return error
    if isinstance(error, TemplateSyntaxError):
        line = f"line {error.lineno}: " if error.lineno > 1 else ""
        return TextError([(line + explain_syntax(error.message or ""), hint)])
    if isinstance(error, RecursionError | MemoryError | SyntaxError):
        return TextError([("is nested too deeply", "")])
    return TextError([(f"cannot be read: {explain(error)}", "")])


class _Exact(NodeTransformer):
    """Numbers with a point are exact, so that 0.1 + 0.2 is 0.3; what joins texts and goes round in loops is bounded."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno, environment=node.environment), language.TOGETHER)

    def visit_Operand(self, node: nodes.Operand) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if node.op in ("in", "notin"):
            node.expr = _filter(node.expr, language.WHOLE)
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.iter = _filter(cast("nodes.Expr", node.iter), language.COUNTED)
        return node

    def visit_Const(self, node: nodes.Const) -> nodes.Node:  # noqa: N802  # the visitor's protocol
        if not isinstance(node.value, float):
            return node
        if math.isinf(node.value):
            raise OverflowError
        digits = nodes.Const(repr(node.value), lineno=node.lineno)
        return _filter(digits, language.EXACT)


class _AsWritten(NodeTransformer):
    """Text that an operator wrote into `{{ … }}` keeps its markdown, unlike values."""

    def visit_Output(self, node: nodes.Output) -> nodes.Node:  # noqa: N802
        node.nodes = [_as_written(child) for child in node.nodes]
        return node


def _as_written(node: nodes.Expr) -> nodes.Expr:
    if isinstance(node, nodes.CondExpr):
        node.expr1 = _as_written(node.expr1)
        node.expr2 = node.expr2 and _as_written(node.expr2)
    elif isinstance(node, nodes.Const) and isinstance(node.value, str):
        return _filter(node, language.AS_WRITTEN)
    return node


def _filter(node: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno, environment=node.environment)


def exactly(tree: Any) -> Any:
    """The tree with exact numbers and bounded loops."""
    return _Exact().visit(tree)
