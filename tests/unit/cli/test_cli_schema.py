from __future__ import annotations

import json

import pytest

from kdsync.cli.schema import FILES, print_schema, schema


@pytest.mark.parametrize("which", FILES)
def test_every_key_says_what_it_is_for(which: str) -> None:
    found = schema(which)
    sections = [found, *found.get("$defs", {}).values()]
    keys = [(key, value) for section in sections for key, value in section.get("properties", {}).items()]
    assert keys
    assert [key for key, value in keys if "description" not in value] == []
    assert all(section["additionalProperties"] is False for section in sections if "properties" in section)


@pytest.mark.parametrize("which", FILES)
def test_a_schema_is_plain_json_and_names_its_dialect(which: str) -> None:
    assert json.loads(json.dumps(schema(which)))["$schema"].startswith("https://json-schema.org/")


def test_durations_and_hours_are_described_as_they_are_written() -> None:
    sections = schema("kdsync")["$defs"]
    interval = sections["PollSection"]["properties"]["interval"]
    assert (interval["type"], interval["default"]) == ("string", "10s")
    assert sections["CalendarSection"]["properties"]["hours"]["default"] == "09:00-18:00"


def test_a_secret_is_a_mapping_with_one_of_three_keys_never_text() -> None:
    secret = schema("kdsync")["$defs"]["DingTalkSection"]["properties"]["client_secret"]
    assert [list(way["properties"]) for way in secret["oneOf"]] == [["env"], ["file"], ["credential"]]


def test_a_trigger_may_be_a_word_a_mapping_or_a_list() -> None:
    on = schema("rules")["$defs"]["RuleSection"]["properties"]["on"]
    one, many = on["oneOf"]
    assert "approved" in one["oneOf"][0]["enum"]
    assert many["type"] == "array"
    assert many["items"] == one


def test_a_step_is_a_word_or_a_mapping_with_one_key() -> None:
    sections = schema("rules")["$defs"]
    word, mapping = sections["ActionSection"]["properties"]["do"]["items"]["oneOf"]
    assert word["enum"] == ["submit", "audit", "approve", "reject"]
    step = sections[mapping["$ref"].rpartition("/")[2]]
    assert (list(step["properties"]), step["maxProperties"]) == (["save", "push", "operation"], 1)


def test_the_command_prints_one_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_schema("directory") == 0
    assert "roles" in json.loads(capsys.readouterr().out)["properties"]


def test_a_file_that_has_no_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_schema("people") == 2
    assert "people is not one of kdsync, rules, directory" in capsys.readouterr().err
