from typing import Any

import pytest

from kdsync.model import Transition
from kdsync.rules.mistakes import RuleError
from kdsync.rules.triggers import parse_trigger


@pytest.mark.parametrize("kind", [kind for kind in Transition if kind is not Transition.CHANGED])
def test_a_transition(kind: Transition) -> None:
    trigger = parse_trigger(kind.value, ("on", 0))
    assert trigger.kinds == {kind}
    assert not trigger.watched


@pytest.mark.parametrize("keys", ["FAmount", ["FAmount"], ("FAmount",)])
def test_changed_takes_one_key_or_a_list(keys: Any) -> None:
    trigger = parse_trigger({"changed": keys}, ("on", 0))
    assert trigger.kinds == {Transition.CHANGED}
    assert trigger.fields == trigger.watched == trigger.heads == {"FAmount"}


def test_changed_takes_fields_of_the_rows() -> None:
    trigger = parse_trigger({"changed": ["FSupplierId.FName", "entries.FQty"]}, ("on", 0))
    assert trigger.heads == {"FSupplierId.FName"}
    assert trigger.entries == {"FQty"}
    assert trigger.watched == {"FSupplierId.FName", "entries"}


def test_becomes_watches_what_it_looks_at() -> None:
    trigger = parse_trigger({"becomes": "doc.FQty < old.FMin or doc.entries | sum(attribute='FLeft') == 0"}, ("on", 0))
    assert trigger.kinds == {Transition.CHANGED, Transition.CREATED}
    assert trigger.watched == {"FQty", "FMin", "entries"}
    assert trigger.entries == {"FLeft"}


@pytest.mark.parametrize(
    ("item", "path", "told"),
    [
        ("aproved", ("on", 0), "'aproved' is not a trigger (did you mean approved?)"),
        ("changed", ("on", 0), "'changed' needs a value (write {changed: [FKEY]})"),
        ("becomes", ("on", 0), "'becomes' needs a value (write {becomes: doc.FKEY > 100})"),
        ({"change": ["F"]}, ("on", 0), "'change' is not a trigger (did you mean changed?)"),
        (
            {"changed": ["F"], "becomes": "x"},
            ("on", 0),
            "a trigger is one name, or one mapping such as {changed: [FKEY]}",
        ),
        ({}, ("on", 0), "a trigger is one name, or one mapping such as {changed: [FKEY]}"),
        ({"changed": []}, ("on", 0, "changed"), "'changed' needs the keys of fields (write {changed: [FKEY]})"),
        ({"changed": 5}, ("on", 0, "changed"), "'changed' needs the keys of fields (write {changed: [FKEY]})"),
        ({"changed": ["F", "doc F"]}, ("on", 0, "changed"), "'doc F' is not the key of a field (such as FBillNo)"),
        ({"changed": [5]}, ("on", 0, "changed"), "'5' is not the key of a field (such as FBillNo)"),
        (
            {"becomes": True},
            ("on", 0, "becomes"),
            "'becomes' needs an expression (write it in quotes: {becomes: 'doc.FKEY > 100'})",
        ),
        ({"becomes": "doc.F >"}, ("on", 0, "becomes"), "something is missing at the end"),
        ("stuck", ("on", 0), "'stuck' is not supported by this version"),
        ({"stuck": "B", "for": "4h"}, ("on", 0), "'stuck' is not supported by this version"),
        ({"due": "FDate", "before": "3d", "at": "09:00"}, ("on", 0), "'due' is not supported by this version"),
        ({"calendar": "cn-tax", "before": "3d"}, ("on", 0), "'calendar' is not supported by this version"),
    ],
)
def test_a_mistake_in_a_trigger(item: Any, path: tuple[str | int, ...], told: str) -> None:
    with pytest.raises(RuleError) as error:
        parse_trigger(item, ("on", 0))
    (mistake,) = error.value.mistakes
    assert mistake.path == path
    assert (f"{mistake.message} ({mistake.hint})" if mistake.hint else mistake.message) == told


def test_a_word_that_resembles_nothing_gets_the_list() -> None:
    with pytest.raises(RuleError) as error:
        parse_trigger("xyz", ("on", 0))
    assert error.value.mistakes[0].hint.startswith("known are created, submitted,")
