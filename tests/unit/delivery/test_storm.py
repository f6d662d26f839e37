"""What becomes of the messages that one look gathered."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kdsync.delivery.storm import FEW, Gathered, decide
from kdsync.model import Priority

ONE = Gathered("0", "approved", "100001", "K1", Priority.NORMAL, (("user:u1", "", ""),))


def several(count: int, **changes: object) -> list[Gathered]:
    return [replace(ONE, id=f"n{n}", doc_id=str(n), number=f"K{n}", **changes) for n in range(count)]  # type: ignore[arg-type]


def of_two_hundred(_rule: str) -> int:
    return 200


def test_two_hundred_are_told_one_by_one_in_their_order() -> None:
    verdict = decide(several(200), of_two_hundred)
    assert [one.id for one in verdict.told] == [f"n{n}" for n in range(200)]
    assert not verdict.storms


def test_one_more_is_a_storm() -> None:
    verdict = decide(several(201), of_two_hundred)
    assert not verdict.told
    assert [(storm.rule, storm.limit, len(storm.members)) for storm in verdict.storms] == [("approved", 200, 201)]
    assert verdict.storms[0].numbers == ["K0", "K1", "K2", "K3", "K4"]


def test_each_rule_has_its_own_limit() -> None:
    quiet = [replace(one, id=f"q{one.id}", rule="quiet") for one in several(201)]
    verdict = decide([*several(201), *quiet], {"approved": None, "quiet": 5}.get)
    assert {one.rule for one in verdict.told} == {"approved"}
    assert [storm.rule for storm in verdict.storms] == ["quiet"]


def test_everybody_is_told_of_a_storm_once() -> None:
    mine = [
        replace(one, wanted=(("user:u1", "", ""), ("creator", str(n % 3), "SEC_User")))
        for n, one in enumerate(several(9))
    ]
    (storm,) = decide(mine, lambda _rule: 1).storms
    assert storm.wanted == [("user:u1", "", ""), *(("creator", str(n), "SEC_User") for n in range(3))]


def test_failures_of_a_rule_are_counted_apart_from_what_it_tells() -> None:
    failed = [replace(one, id=f"f{one.id}", reason="rule failed: no") for one in several(3)]
    verdict = decide([*several(2), *failed], lambda _rule: 2)
    assert [one.id for one in verdict.told] == ["n0", "n1"]
    assert [(storm.error, len(storm.members)) for storm in verdict.storms] == [("rule failed: no", 3)]


def test_ten_strange_documents_are_told_as_usual() -> None:
    assert len(decide(several(FEW, strange="rewound"), of_two_hundred).told) == FEW


def test_ten_strange_documents_of_two_rules_are_still_ten() -> None:
    twice = [
        *several(FEW, strange="rewound"),
        *(replace(one, id=f"x{one.id}") for one in several(FEW, strange="replaced")),
    ]
    assert not decide(twice, of_two_hundred).held


def test_eleven_strange_documents_are_held_and_the_others_told() -> None:
    usual = replace(ONE, id="usual")
    verdict = decide([usual, *several(FEW + 1, strange="rewound")], of_two_hundred)
    assert verdict.told == (usual,)
    assert len(verdict.held) == FEW + 1


def test_what_is_held_makes_no_storm() -> None:
    verdict = decide([*several(300, strange="rewound"), replace(ONE, id="usual")], of_two_hundred)
    assert not verdict.storms
    assert len(verdict.held) == 300


MESSAGES = st.lists(
    st.builds(
        replace,
        st.just(ONE),
        rule=st.sampled_from("ab"),
        doc_id=st.integers(0, 30).map(str),
        strange=st.sampled_from(["", "", "rewound", "replaced"]),
        reason=st.sampled_from(["", "", "rule failed: x"]),
    ),
    max_size=60,
).map(lambda found: [replace(one, id=str(place)) for place, one in enumerate(found)])


@given(MESSAGES, st.fixed_dictionaries({"a": st.none() | st.integers(1, 20), "b": st.integers(1, 20)}))
def test_every_message_ends_in_exactly_one_place(messages: list[Gathered], limits: dict[str, int | None]) -> None:
    verdict = decide(messages, limits.get)
    summed_up = [member for storm in verdict.storms for member in storm.members]
    places = Counter(one.id for one in (*verdict.told, *verdict.held, *summed_up))
    assert places == Counter(one.id for one in messages)
    assert all(len(storm.members) > storm.limit for storm in verdict.storms)
    told = Counter((one.rule, bool(one.reason)) for one in verdict.told)
    assert all(limits[rule] is None or count <= (limits[rule] or 0) for (rule, _), count in told.items())
    assert all(one.strange for one in verdict.held)
