"""Reads a syntax tree: which fields of Kingdee it looks at, and what in it cannot work.

Fields are followed through variables, loops and filters, since kdsync asks Kingdee only for fields that are found here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from jinja2 import nodes
from jinja2.visitor import NodeVisitor

from kdsync.rules import vocabulary
from kdsync.rules.meaning import NOTHING, OF_EVENTS, PARTS_OF, Meaning, Place, Shape, filtered, in_whole, members
from kdsync.rules.mistakes import did_you_mean
from kdsync.rules.values import ENTRIES


@dataclass
class Findings:
    """What a text was found to use, and its mistakes: each a message and a hint."""

    heads: set[str] = field(default_factory=set)
    entries: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    mistakes: list[tuple[str, str]] = field(default_factory=list)


def read(
    tree: nodes.Node,
    given: Mapping[str, Meaning] = OF_EVENTS,
    filters: frozenset[str] = frozenset(),
    functions: frozenset[str] = frozenset(),
) -> Findings:
    """Read a whole tree, which sees the names in `given`, with more filters and functions than all trees have."""
    reader = _Reader(given, vocabulary.FILTERS | filters, vocabulary.FUNCTIONS | functions)
    reader.use(tree)
    return reader.found


class _Reader(NodeVisitor):
    def __init__(self, given: Mapping[str, Meaning], filters: frozenset[str], functions: frozenset[str]) -> None:
        self.found = Findings()
        self._given, self._filters, self._functions = given, filters, functions
        self._names: dict[str, Meaning] = dict(given)
        self._loops = 0
        self._set_in: dict[str, int] = {}  # how deep in loops a name got its value

    def use(self, node: nodes.Node) -> Meaning:
        """What the node stands for, noting the fields that it thereby looks at."""
        meaning = self._meaning(node)
        for place in meaning:
            if isinstance(place, Place) and place.key:
                self._note(place)
        return meaning

    def _meaning(self, node: nodes.Node) -> Meaning:
        found = self.visit(node)
        return found if isinstance(found, frozenset) else NOTHING

    def _mistake(self, message: str, hint: str = "") -> Meaning:
        if (message, hint) not in self.found.mistakes:
            self.found.mistakes.append((message, hint))
        return NOTHING

    def _known(self, what: str, word: str, known: Iterable[str], hint: str = "") -> None:
        if word not in known:
            near = hint or did_you_mean(word, known)
            self._mistake(f"'{word}' is not a {what}", near or f"known are {', '.join(sorted(known))}")

    def generic_visit(self, node: nodes.Node, *_: object, **__: object) -> Meaning:
        if not isinstance(node, vocabulary.STATEMENTS):
            tag = vocabulary.TAGS.get(type(node).__name__, type(node).__name__.lower())
            return self._mistake(f"'{{% {tag} %}}' is not available here; if, for and set are")
        for child in node.iter_child_nodes():
            self.use(child)
        return NOTHING

    # Names and what hangs on them

    def visit_Name(self, node: nodes.Name) -> Meaning:  # noqa: N802  # the visitor's protocol
        if node.name in self._names:
            self.found.names.add(node.name)
            return self._names[node.name]
        if node.name == vocabulary.OF_ROWS and "form" in self._given:
            return self._mistake("'row' is known only in the fields of an entry")
        if node.name == vocabulary.OF_TASKS and "doc" in self._given:
            return self._mistake("'task' is known only in a rule with the trigger 'assigned'")
        if node.name in self._functions:
            return self._mistake(f"'{node.name}' is a function: write {node.name}(…)")
        return self._mistake(f"'{node.name}' is not a name here", self._nearest(node.name))

    def _nearest(self, name: str) -> str:
        if "doc" in self._given and name[:1] == "F" and name[1:2].isupper():
            return f"fields are written doc.{name}"
        if name in vocabulary.OF_OTHERS:
            return vocabulary.OF_OTHERS[name]
        known = " and ".join((", ".join(list(self._given)[:-1]), list(self._given)[-1]))
        return did_you_mean(name, self._names) or f"known are {known}; text stands in quotes"

    def visit_Getattr(self, node: nodes.Getattr) -> Meaning:  # noqa: N802
        return self._part(node.node, node.attr)

    def visit_Getitem(self, node: nodes.Getitem) -> Meaning:  # noqa: N802
        key = node.arg
        if isinstance(key, nodes.Const) and isinstance(key.value, str):
            return self._part(node.node, key.value)
        self.use(key)
        base = self.use(node.node)
        if _is_document(base):
            return self._mistake("the field in [ ] has to be written out, such as doc['FBillNo']")
        if isinstance(key, nodes.Slice):
            return base
        return members(base, key.value if isinstance(key, nodes.Const) else None)

    def _part(self, owner: nodes.Node, name: str) -> Meaning:
        if name.startswith("_"):
            return self._mistake(f"'{name}' is not available here")
        base = self._meaning(owner)
        return frozenset().union(*(self._part_of(one, name) for one in base))

    def _part_of(self, one: Place | Shape, name: str) -> Meaning:
        if isinstance(one, Place):
            return self._field(one, name)
        if one in PARTS_OF:
            self._known(f"part of '{one.name.lower()}'", name, PARTS_OF[one])
        elif one is Shape.GROUP and name == "list":
            return frozenset({Shape.ROWS})
        elif one is Shape.ROWS:
            self._mistake(
                f"'{ENTRIES}' is a list and has no '{name}'",
                f"loop over it, or write {ENTRIES} | sum(attribute='{name}')",
            )
        return NOTHING

    def _field(self, owner: Place, name: str) -> Meaning:
        if not owner.key and name == ENTRIES:
            return frozenset({Shape.ROWS})
        if owner.key and name in vocabulary.METHODS:
            return self._mistake(f"'{name}' is a function: write {name}()")
        if owner.key and name in vocabulary.PARTS:
            self._note(owner)
            return NOTHING
        return frozenset({Place(owner.in_entries, f"{owner.key}.{name}" if owner.key else name)})

    def _note(self, place: Place) -> None:
        (self.found.entries if place.in_entries else self.found.heads).add(place.key)

    # Choices pass on what they choose from

    def visit_CondExpr(self, node: nodes.CondExpr) -> Meaning:  # noqa: N802
        self.use(node.test)
        return self._meaning(node.expr1) | (self._meaning(node.expr2) if node.expr2 else NOTHING)

    def visit_Or(self, node: nodes.Or) -> Meaning:  # noqa: N802
        return self.use(node.left) | self._meaning(node.right)

    def visit_And(self, node: nodes.And) -> Meaning:  # noqa: N802
        return self.use(node.left) | self._meaning(node.right)

    def visit_List(self, node: nodes.List) -> None:  # noqa: N802
        self._members_of(node.items)

    def visit_Tuple(self, node: nodes.Tuple) -> None:  # noqa: N802
        self._members_of(node.items)

    def visit_Dict(self, node: nodes.Dict) -> None:  # noqa: N802
        self._members_of([part for pair in node.items for part in (pair.key, pair.value)])

    def _members_of(self, parts: Iterable[nodes.Node]) -> None:
        """Read what is handed on to where it cannot be followed."""
        for part in parts:
            whole = next((in_whole(one) for one in self.use(part) if in_whole(one)), "")
            if whole:
                self._mistake(f"{whole} cannot be handed on", "name its fields, such as doc.FBillNo")

    def visit_Output(self, node: nodes.Output) -> None:  # noqa: N802
        self._members_of(node.nodes)

    # Statements

    def visit_For(self, node: nodes.For) -> None:  # noqa: N802
        if node.recursive:
            self._mistake("'recursive' is not available here")
        self._loops += 1
        if self._loops > vocabulary.DEEPEST_LOOP:
            self._mistake(f"loops may stand in each other {vocabulary.DEEPEST_LOOP} deep, not deeper")
        self._bind(node.target, members(self.use(node.iter)))
        outer = self._names.get("loop")
        self._names["loop"] = frozenset({Shape.LOOP})
        for part in (*((node.test,) if node.test else ()), *node.body, *node.else_):
            self.use(part)
        self._names.pop("loop")
        if outer is not None:
            self._names["loop"] = outer
        self._loops -= 1

    def visit_Assign(self, node: nodes.Assign) -> None:  # noqa: N802
        name = node.target.name if isinstance(node.target, nodes.Name) else ""
        if self._set_in.get(name, self._loops) < self._loops and any(o.name == name for o in _names_in(node.node)):
            hint = f"write such as {ENTRIES} | sum(attribute='FQty')"
            self._mistake(f"'{name}' is set anew in each turn of a loop and adds nothing up", hint)
        self._set_in[name] = self._loops
        self._bind(node.target, self.use(node.node))

    def _bind(self, target: nodes.Node, meaning: Meaning) -> None:
        if isinstance(target, nodes.Tuple):
            for place, item in enumerate(target.items):
                self._bind(item, members(meaning, place))
        elif not isinstance(target, nodes.Name):
            self._mistake("set gives a value to a name, to nothing else")
        elif target.name in self._given:
            self._mistake(f"'{target.name}' already has a meaning", "choose another name")
        else:
            self._names[target.name] = self._names.get(target.name, NOTHING) | meaning

    # Calls, filters and tests

    def visit_Call(self, node: nodes.Call) -> None:  # noqa: N802
        if isinstance(node.node, nodes.Name):
            name = node.node.name
            self._known("function", name, self._functions, vocabulary.OF_PYTHON.get(name, ""))
        elif isinstance(node.node, nodes.Getattr):
            self._known("function of a value", node.node.attr, vocabulary.METHODS)
            self.use(node.node.node)
        else:
            self._mistake("only functions can be called")
        self._arguments(node)

    def _arguments(self, node: nodes.Call | nodes.Filter | nodes.Test) -> None:
        if node.dyn_args or node.dyn_kwargs:
            self._mistake("* and ** are not available here")
        self._members_of([*node.args, *(pair.value for pair in node.kwargs)])

    def visit_Test(self, node: nodes.Test) -> None:  # noqa: N802
        self._known("test", node.name, vocabulary.TESTS)
        self.use(node.node)
        self._arguments(node)

    def visit_Filter(self, node: nodes.Filter) -> Meaning:  # noqa: N802
        if node.node is None:
            return self._mistake("'{% filter %}' is not available here")
        self._filter_name(node.name)
        base = self.use(node.node)
        if node.name in {"default", "d"}:
            return base.union(*map(self.use, node.args))
        self._arguments(node)
        self._names_in_arguments(node)
        self._attributes(node, base)
        return filtered(node.name, base)

    def _filter_name(self, name: str) -> None:
        if name in vocabulary.MESSAGE_FILTERS and name not in self._filters:
            self._mistake(f"'{name}' is for messages; conditions compare values as they are")
        elif name not in self._filters:
            self._mistake(f"'{name}' is not a filter", did_you_mean(name, self._filters | vocabulary.MESSAGE_FILTERS))

    def _names_in_arguments(self, node: nodes.Filter) -> None:
        test = vocabulary.TEST_AT.get(node.name)
        if test is not None and len(node.args) > test:
            self._written_out("test", node.args[test], vocabulary.TESTS)
        if node.name == "map" and node.args:
            self._written_out("filter", node.args[0], self._filters)

    def _written_out(self, what: str, node: nodes.Expr, known: Iterable[str]) -> None:
        if isinstance(node, nodes.Const) and isinstance(node.value, str):
            self._known(what, node.value, known)
        else:
            self._mistake(f"the name of a {what} has to be written out")

    def _attributes(self, node: nodes.Filter, base: Meaning) -> None:
        """Note the entry fields that `attribute` names."""
        if node.name not in vocabulary.ATTRIBUTE_AT or Shape.ROWS not in base:
            return
        at = vocabulary.ATTRIBUTE_AT[node.name]
        keywords = cast("list[nodes.Keyword]", node.kwargs)  # Jinja's annotation says Pair, its parser gives Keyword
        named = [keyword.value for keyword in keywords if keyword.key == "attribute"]
        for attribute in named or (node.args[at : at + 1] if at is not None else []):
            if isinstance(attribute, nodes.Const) and isinstance(attribute.value, str):
                self.found.entries.update(key.strip() for key in attribute.value.split(","))
            else:
                self._mistake("the field of 'attribute' has to be written out")


def _is_document(meaning: Meaning) -> bool:
    return any(isinstance(one, Place) and not one.key for one in meaning)


def _names_in(node: nodes.Node) -> Iterable[nodes.Name]:
    return (node,) if isinstance(node, nodes.Name) else node.find_all(nodes.Name)
