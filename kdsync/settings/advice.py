"""What is no mistake in a configuration, but may not be meant. `kdsync check` says it; nothing fails over it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from glob import escape, glob
from pathlib import Path

from kdsync.model import Do, Transition
from kdsync.rules.actions import CompiledAction
from kdsync.rules.compile import CompiledRule
from kdsync.rules.intake import CompiledIntake
from kdsync.rules.schema import RuleSection
from kdsync.sync.origin import CREATE, MAKES

T = Transition
NOTHING = "there is no rule, no action and no intake: nobody is told anything"
SPOKEN = {
    T.CREATED: "documents created",
    T.SUBMITTED: "documents submitted",
    T.APPROVED: "approvals given",
    T.REJECTED: "rejections given",
    T.CHANGED: "changes made",
}


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
    kinds = dict.fromkeys(MAKES[do.kind] for do in steps if do.kind in MAKES and _is_heard(rule, do))
    for kind in kinds:
        yield (
            f"rule {rule.id} does not tell of {SPOKEN[kind]} by {maker}; "
            "write origin: any to tell of them, or origin: kingdee to say that this is meant"
        )


def _is_heard(rule: CompiledRule, do: Do) -> bool:
    """Whether a rule listens to what a step makes; to a save only if it looks at one of its fields."""
    kind = MAKES[do.kind]
    if kind is not T.CHANGED:
        return any(kind in trigger.kinds for trigger in rule.triggers if trigger.expression is None)
    saved = {key.casefold() for key in do.fields}
    return any(key.partition(".")[0].casefold() in saved for key in rule.needs.watched)
