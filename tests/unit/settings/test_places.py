from __future__ import annotations

from kdsync.settings.places import YamlFile, dotted
from kdsync.settings.yamlfile import parse_yaml

FILE, _ = parse_yaml(b"rules:\n  - on: {becomes: x}\n    to: [a, b]\n", "f.yaml")


def test_a_way_is_written_with_dots_and_brackets() -> None:
    assert dotted(("rules", 0, "message", "title")) == "rules[0].message.title"
    assert dotted(()) == ""


def test_a_mistake_below_the_last_written_value_is_shown_there() -> None:
    problem = FILE.at(("rules", 0, "to", 7, "x"), "wrong")
    assert (problem.line, problem.column, problem.key) == (3, 9, "rules[0].to")


def test_one_trigger_without_brackets_is_found_as_the_first_of_a_list() -> None:
    assert FILE.at(("rules", 0, "on", 0, "becomes"), "wrong").key == "rules[0].on.becomes"


def test_what_is_missing_is_shown_at_the_key_it_belongs_under() -> None:
    problem = FILE.missing(("rules", 0, "message"), "is required")
    assert (problem.line, problem.column, problem.key) == (2, 5, "rules[0].message")


def test_a_value_that_is_not_there_is_none() -> None:
    assert FILE.value(("rules", 0, "to", 1)) == "b"
    assert FILE.value(("rules", 5, "to")) is None
    assert FILE.value(("rules", 0, "to", "x")) is None


def test_a_problem_of_a_file_without_places_is_at_its_beginning() -> None:
    assert str(YamlFile("f.yaml", None).at(("a",), "wrong")) == "f.yaml:1:1: wrong"
