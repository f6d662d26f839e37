"""What is no mistake in a configuration, but may not be meant. `kdsync check` says it; nothing fails over it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kdsync.model import Do, Transition
from kdsync.rules.actions import CompiledAction
from kdsync.rules.compile import CompiledRule
from kdsync.rules.schema import RuleSection
from kdsync.sync.origin import MAKES

T = Transition
SPOKEN = {
    T.SUBMITTED: "documents submitted",
    T.APPROVED: "approvals given",
    T.REJECTED: "rejections given",
    T.CHANGED: "changes made",
}


def of_origins(
    specs: Sequence[RuleSection], rules: Sequence[CompiledRule], actions: Sequence[CompiledAction]
) -> Iterator[str]:
    """Rules that do not hear of what an action on the same form does, and that do not say whether this is meant."""
    unsaid = {spec.id for spec in specs if spec.origin is None}
    for rule in rules:
        for action in actions if rule.id in unsaid else ():
            if rule.form.lower() == action.form.lower():
                yield from _unheard(rule, action)


def _unheard(rule: CompiledRule, action: CompiledAction) -> Iterator[str]:
    kinds = dict.fromkeys(MAKES[do.kind] for do in action.do if do.kind in MAKES and _is_heard(rule, do))
    for kind in kinds:
        yield (
            f"rule {rule.id} does not tell of {SPOKEN[kind]} by action {action.id} in DingTalk; "
            "write origin: any to tell of them, or origin: kingdee to say that this is meant"
        )


def _is_heard(rule: CompiledRule, do: Do) -> bool:
    """Whether a rule listens to what a step makes; to a save only if it looks at one of its fields."""
    kind = MAKES[do.kind]
    if kind is not T.CHANGED:
        return rule.listens(kind)
    saved = {key.casefold() for key in do.fields}
    return any(key.partition(".")[0].casefold() in saved for key in rule.needs.watched)
