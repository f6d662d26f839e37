from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kdsync.settings.yamlfile import parse_yaml, read_yaml

ALMOST_YAML = st.text(alphabet="ab:-?[]{},&*!|>'\"%@`#<~ \n\t01.")


def data(text: str) -> Any:
    file, problems = parse_yaml(text.encode(), "f.yaml")
    assert problems == []
    return file.data


def told(content: str | bytes) -> list[str]:
    _, problems = parse_yaml(content if isinstance(content, bytes) else content.encode(), "f.yaml")
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *(("yes", "yes"), ("off", "off"), ("on", "on"), ("true", True), ("False", False)),
        *(("~", None), ("", None), ("null", None), ("'null'", "null"), ("'true'", "true")),
        *(("12", 12), ("-3", -3), ("0123", "0123"), ("0x1F", "0x1F"), ("12:30", "12:30"), ("1_000", "1_000")),
        *(("1.5", 1.5), ("1.", 1.0), ("6e5", "6e5"), (".inf", ".inf"), ("2026-11-23", "2026-11-23")),
        *(("=", "="), ("!!str 12", "12"), ("12345678901234567890", "12345678901234567890")),
    ],
)
def test_a_bare_value_means_what_yaml_1_2_says(written: str, value: Any) -> None:
    found = data(f"key: {written}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_on_as_a_key_is_the_word_on() -> None:
    assert data("on: approved\nyes: 1\n12: x\n") == {"on": "approved", "yes": 1, "12": "x"}


def test_every_key_and_value_has_its_line_and_column() -> None:
    file, _ = parse_yaml("a:\n  - b: 'x'\n    ö: [1,  2]\n".encode(), "f.yaml")
    assert file.keys["a", 0, "ö"] == (3, 5)
    assert file.values["a", 0, "ö", 1] == (3, 13)
    assert file.values["a", 0, "b"] == (2, 8)


def test_an_anchor_may_be_used_again_and_merged() -> None:
    text = "base: &base {to: [creator], mode: live}\nrule: {<<: *base, mode: shadow, copy: *base}\n"
    base = {"to": ["creator"], "mode": "live"}
    assert data(text)["rule"] == {"to": ["creator"], "mode": "shadow", "copy": base}


def test_of_several_merged_mappings_the_first_one_wins() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], z: 3}\n"
    assert data(text)["c"] == {"x": 1, "y": 1, "z": 3}


def test_every_duplicate_key_of_a_file_is_told() -> None:
    assert sorted(told("a: 1\nb: {c: 1, c: 2}\na: 2\n")) == [
        "f.yaml:2:11: b.c: is there twice; the first is in line 2",
        "f.yaml:3:1: a: is there twice; the first is in line 1",
    ]


def test_what_cannot_be_read_is_marked_so_that_it_is_told_once() -> None:
    file, problems = parse_yaml(b"a: !vault x\nb: {c: {{ d }}}\n", "f.yaml")
    assert len(problems) == 2
    assert file.unreadable(("a",))
    assert file.unreadable(("b", "c", "d"))
    assert not file.unreadable(("b",))


def test_a_byte_order_mark_is_no_mistake() -> None:
    file, problems = parse_yaml("\ufeffa: 1\n".encode(), "f.yaml")
    assert (file.data, problems) == ({"a": 1}, [])


def test_a_file_of_comments_holds_nothing() -> None:
    assert data("# nothing yet\n") is None


def test_a_tab_is_named() -> None:
    assert told("a:\n\tb: 1\n") == [
        "f.yaml:2:1: is not YAML: found character that cannot start any token (indent with blanks, not with tabs)"
    ]


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"a: " + b"x" * (1 << 20))
    file, problems = read_yaml(path, "big.yaml")
    assert file.unread
    assert [problem.message for problem in problems] == ["is larger than 1 MiB"]


@pytest.mark.parametrize("name", ["not-there.yaml", "", "nul\0.yaml"])
def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path, name: str) -> None:
    _, problems = read_yaml(tmp_path / name, name)
    assert problems[0].message.startswith("cannot be read: ")


def chain_of_aliases() -> str:
    return "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3000))


def bomb_of_merges() -> str:
    return "m0: &m0 {k: 1}\n" + "".join(
        f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}\n" for n in range(1, 15)
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("[" * 500_000, "is nested more than 50 levels deep", id="brackets"),
        pytest.param("{" * 500_000, "is nested more than 50 levels deep", id="braces"),
        pytest.param("- " * 500_000, "is nested more than 50 levels deep", id="dashes"),
        pytest.param("a: [x" + ", x" * 100_000 + "]", "holds more than 100,000 values", id="a long list"),
        pytest.param(chain_of_aliases(), "is nested more than 50 levels deep", id="aliases of aliases"),
        pytest.param(bomb_of_merges(), "holds more than 100,000 values", id="merges of merges"),
    ],
)
def test_a_file_that_would_blow_up_is_refused_in_no_time(content: str, expected: str) -> None:
    started = time.process_time()
    assert expected in told(content)[-1]
    assert time.process_time() - started < 10


def test_thousands_of_mistakes_are_not_all_told() -> None:
    assert len(told("a: 1\n" * 1000)) == 201


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_data_or_problems(content: bytes) -> None:
    _, problems = parse_yaml(content, "f.yaml")
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in problems)


@settings(deadline=None)
@given(ALMOST_YAML)
def test_what_looks_like_yaml_gives_what_pyyaml_gives_or_problems(text: str) -> None:
    file, problems = parse_yaml(text.encode(), "f.yaml")
    if problems:
        assert all(problem.line <= text.count("\n") + 2 for problem in problems)
    elif "<<" not in text and "!" not in text:
        assert _as_text(file.data) == _as_text(yaml.load(text, yaml.CBaseLoader))  # noqa: S506  # text only


def _as_text(value: Any) -> Any:
    """Without the types of single values, which are YAML 1.2's with us."""
    if isinstance(value, dict):
        return {key: _as_text(inner) for key, inner in value.items()}
    return [_as_text(item) for item in value] if isinstance(value, list) else None
