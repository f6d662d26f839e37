"""What is no mistake in a configuration, but may not be meant. `kdsync check` says it; nothing fails over it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from glob import escape, glob
from pathlib import Path

from kdsync.model import Do, Transition
from kdsync.rules import vocabulary
from kdsync.rules.actions import CompiledAction
from kdsync.rules.compile import CompiledRule
from kdsync.rules.intake import CompiledIntake
from kdsync.rules.schema import RuleSection
from kdsync.sync.origin import CREATE, MAKES

T = Transition
TASK = re.compile(rf"\b{vocabulary.OF_TASKS}\b")
NOTHING = "there is no rule, no action and no intake: nobody is told anything"
SPOKEN = {
    T.CREATED: "documents created",
    T.SUBMITTED: "documents submitted",
    T.APPROVED: "approvals given",
    T.REJECTED: "rejections given",
    T.CHANGED: "changes made",
    T.UNAPPROVED: "approvals taken back",
    T.VOIDED: "documents voided",
    T.CLOSED: "documents closed",
}
OPERATIONS = {"unaudit": T.UNAPPROVED, "cancel": T.VOIDED, "billclose": T.CLOSED}
"""What operations of a form are for, by their numbers in small letters (in-product WebAPI help, ExcuteOperation)."""


def of_files(patterns: Iterable[str], base: Path, *parts: Sequence[object]) -> Iterator[str]:
    """Names of rule files that no file has, and a configuration of which all `parts` are empty."""
    for pattern in patterns:
        if not glob(str(Path(escape(str(base)), pattern)), recursive=True):  # noqa: PTH207  # it may be absolute
            yield f"rules: no file is called {pattern}"
    if not any(parts):
        yield NOTHING


def of_origins(
    specs: Sequence[RuleSection],
    rules: Sequence[CompiledRule],
    actions: Sequence[CompiledAction],
    intakes: Sequence[CompiledIntake],
) -> Iterator[str]:
    """Rules that do not hear of what kdsync itself does on their form, and do not say whether this is meant."""
    unsaid = {spec.id for spec in specs if spec.origin is None}
    makers = [(f"action {one.id} in DingTalk", one.form, one.do) for one in actions]
    makers += [(f"intake {one.id}", one.form, (Do(CREATE), *one.do)) for one in intakes]
    for rule in rules:
        for maker, form, do in makers if rule.id in unsaid else ():
            if rule.form.lower() == form.lower():
                yield from _unheard(rule, maker, do)


def _unheard(rule: CompiledRule, maker: str, steps: Sequence[Do]) -> Iterator[str]:
    kinds = dict.fromkeys(kind for do in steps if (kind := _made_by(do)) and _is_heard(rule, kind, do))
    for kind in kinds:
        yield (
            f"rule {rule.id} does not tell of {SPOKEN[kind]} by {maker}; "
            "write origin: any to tell of them, or origin: kingdee to say that this is meant"
        )


def _made_by(do: Do) -> T | None:
    return MAKES.get(do.kind) or OPERATIONS.get(do.name.casefold())


def _is_heard(rule: CompiledRule, kind: T, do: Do) -> bool:
    """Whether a rule listens to what a step makes; to a save only if it looks at one of its fields."""
    if kind is not T.CHANGED:
        return any(kind in trigger.kinds for trigger in rule.triggers if trigger.expression is None)
    saved = {key.casefold() for key in do.fields}
    return any(key.partition(".")[0].casefold() in saved for key in rule.needs.watched)


def of_approvers(rules: Sequence[CompiledRule]) -> Iterator[str]:
    """Rules about tasks that tell nobody, or seldom, while tasks cannot be read."""
    asked = [rule for rule in rules if rule.listens(T.ASSIGNED)]
    without = ", ".join(rule.id for rule in asked if not rule.approvers)
    if without:
        yield f"{without}: no approvers, so nobody is told of new documents while Kingdee's tasks cannot be read"
    for rule in asked:
        if rule.approvers and rule.when and TASK.search(rule.when.source):
            yield (
                f"rule {rule.id} tells its approvers only of documents for which `when` is true without a task: "
                "while Kingdee's tasks cannot be read task.node and the like are empty"
            )


def of_time(rules: Sequence[CompiledRule]) -> Iterator[str]:
    """Rules that wait for a moment which no change of a document brings."""
    for rule in rules:
        if any(trigger.expression and "now" in trigger.expression.names for trigger in rule.triggers):
            yield (
                f"rule {rule.id} compares with now in `becomes`, which is asked when a document changes: "
                "that time passes tells nobody"
            )
