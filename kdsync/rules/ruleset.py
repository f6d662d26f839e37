"""All rules that are in force: one value, so that a reload swaps it whole or not at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import or_

from kdsync.model import Transition
from kdsync.rules.compile import CompiledRule, Needs


@dataclass(frozen=True)
class Ruleset:
    """Rules in the order of their files. Form ids are the same in any case, as Kingdee takes them.

    `spelled` are those, by their small letters, that are known by another spelling than the first of their rules has.
    """

    rules: tuple[CompiledRule, ...] = ()
    spelled: Mapping[str, str] = field(default_factory=dict, compare=False)
    _listening: dict[tuple[str, Transition], tuple[CompiledRule, ...]] = field(default_factory=dict, compare=False)

    @cached_property
    def _by_form(self) -> dict[str, tuple[CompiledRule, ...]]:
        found: dict[str, list[CompiledRule]] = defaultdict(list)
        for rule in self.rules:
            found[rule.form.lower()].append(rule)
        return {form: tuple(rules) for form, rules in found.items()}

    @cached_property
    def _by_id(self) -> dict[str, CompiledRule]:
        return {rule.id: rule for rule in self.rules}

    @property
    def forms(self) -> tuple[str, ...]:
        """The forms that rules are about, each as it is known or, if it is not, as its first rule spells it."""
        return tuple(self.spelled.get(form, rules[0].form) for form, rules in self._by_form.items())

    def of(self, form: str) -> tuple[CompiledRule, ...]:
        """The rules of one form."""
        return self._by_form.get(form.lower(), ())

    def listening(self, form: str, kind: Transition) -> tuple[CompiledRule, ...]:
        """The rules of one form that an event of that kind can concern."""
        found = self._listening.get((form, kind))
        if found is None:
            found = self._listening[form, kind] = tuple(rule for rule in self.of(form) if rule.listens(kind))
        return found

    @cached_property
    def _needs(self) -> dict[str, Needs]:
        return {form: reduce(or_, (rule.needs for rule in rules)) for form, rules in self._by_form.items()}

    def needs(self, form: str) -> Needs:
        """What all rules of the form need together."""
        return self._needs.get(form.lower(), Needs())

    def with_id(self, rule_id: str) -> CompiledRule | None:
        return self._by_id.get(rule_id)
