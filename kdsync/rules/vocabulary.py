"""What the rule language knows: every name, filter, test, method and statement, so that nothing else is reachable."""

from __future__ import annotations

from jinja2 import nodes

NAMES = frozenset({"doc", "old", "event", "rule", "now"})
OF_TASKS = "task"  # a name only where a task can be what happened

EVENT = frozenset({"id", "kind", "form", "form_title", "number", "version", "changed", "noticed_at", "origin"})
RULE = frozenset({"id", "form", "priority"})
TASK = frozenset({"node", "receiver_name", "since", "number", "form"})
LOOP = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})

OF_ROWS = "row"  # a name only where an entry row is filled in
APPROVAL = frozenset({"id", "business_id", "title", "process", "department", "created_at", "finished_at"})
INTAKE_FILTERS = frozenset({"amount", "date", "department", "employee", "user"})

FUNCTIONS = frozenset({"range"})
OF_PYTHON = {
    name: f"write VALUE | {name}" for name in ("abs", "float", "int", "list", "max", "min", "round", "sum")
} | {
    "all": "write not LIST | rejectattr(…)",
    "any": "write LIST | selectattr(…), which is true where any is left",
    "len": "write VALUE | length",
    "str": "write VALUE | string",
}
"""What to write in place of functions that Python has."""
MESSAGE_FUNCTIONS = frozenset({"link"})

OF_OTHERS = dict.fromkeys(("null", "NULL", "nil", "undefined"), "write none") | {"today": "write now.date()"}
"""What to write in place of names that other languages have."""

METHODS = frozenset(
    {"date", "endswith", "isoweekday", "lower", "startswith", "strip", "total_seconds", "upper", "weekday"}
)
"""What may be called on a value; each takes no more memory or time than the value it is called on."""

PARTS = frozenset({"year", "month", "day", "hour", "minute", "second", "days", "seconds"})
"""Attributes of a date or a span of time; as the last name of `doc.FDate.year` they are no field of Kingdee."""

BUILTIN_FILTERS = frozenset(
    {
        *("abs", "capitalize", "count", "d", "default", "first", "int", "join", "last", "length", "list", "lower"),
        *("map", "reject", "rejectattr", "reverse", "select", "selectattr", "string", "title", "trim", "truncate"),
        *("unique", "upper", "wordcount"),
    }
)
OWN_FILTERS = frozenset({"float", "groupby", "max", "min", "replace", "round", "sort", "sum"})
MESSAGE_FILTERS = frozenset({"date", "datetime", "link", "money", "number", "status", "time", "urlencode"})
FILTERS = BUILTIN_FILTERS | OWN_FILTERS

TESTS = frozenset(
    {
        *("==", "!=", "<", "<=", ">", ">=", "eq", "ne", "lt", "le", "gt", "ge", "equalto", "lessthan", "greaterthan"),
        *("boolean", "defined", "divisibleby", "even", "false", "in", "integer", "iterable", "lower", "mapping"),
        *("none", "number", "odd", "sameas", "sequence", "string", "true", "undefined", "upper"),
    }
)

ATTRIBUTE_AT: dict[str, int | None] = {
    "groupby": 0,
    "join": 1,
    "map": None,  # by keyword only: its first argument names a filter
    "max": 1,
    "min": 1,
    "rejectattr": 0,
    "selectattr": 0,
    "sort": 2,
    "sum": 0,
    "unique": 1,
}
"""Where a filter takes the field it looks at when `attribute=` is not written out."""

TEST_AT = {"reject": 0, "rejectattr": 1, "select": 0, "selectattr": 1}
"""Where a filter takes the name of a test."""

SAME_ROWS = frozenset({"list", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "unique"})
ONE_ROW = frozenset({"first", "last", "max", "min"})

STATEMENTS: tuple[type[nodes.Node], ...] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign),
    *(nodes.Expr, nodes.Helper),
)
TAGS = {"FilterBlock": "filter", "CallBlock": "call", "AssignBlock": "set", "FromImport": "from", "ExprStmt": "do"}
"""What stands in a template for a statement that is not here, where Jinja calls it otherwise."""
DEEPEST_LOOP = 2
LONGEST_RANGE = 100
LONGEST_VALUE = 100_000
"""Characters of a document's value that rules get to see."""
LONGEST_JOINED = 200_000
"""Characters, or items of a list, that joining may give."""
MOST_TURNS = 20_000
"""Of all loops of a message together."""
MOST_FIELDS = 300_000
"""Fields that one evaluation may look at, whatever it loops over."""
MOST_DIGITS = 400
"""Before the point of a number."""
LONGEST_TEXT = 10_000
"""Characters of a template or expression, and of anything that repeating or replacing text may give."""
