"""Whatever stands in a file an operator owns, it is read or refused with its place, soon and in little memory."""

from __future__ import annotations

import gzip
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdsync.demo import replay
from kdsync.errors import ConfigurationError
from kdsync.settings.load import load
from kdsync.settings.yamlfile import parse_yaml
from tests.property.foreign import noise, thorough

MEGABYTE = 1 << 20
MAIN = """kingdee:
  url: https://erp.example.com/K3Cloud/
  acct_id: 65a1b2c3d4e5f6
  username: kdsync
  app_id: 224551_abc
  app_secret: {env: SECRET}
  timeout: 30s
dingtalk: {client_id: d, client_secret: {file: secret}, agent_id: 1}
store: {url: "sqlite:///kdsync.db"}
poll: {interval: 10s}
forms: {AP_Payable: {open: "FWRITTENOFFSTATUS <> 'C'"}}
rules: [rules.yaml]
directory: directory.yaml
fallback: [user:ops]
calendar: {quiet: "21:00-08:00"}
"""
RULES = """rules:
  - id: payment-approved
    form: AP_PAYBILL
    on: [approved, {changed: [FAmount]}, {becomes: doc.FAmount > 7}]
    when: doc.FAmount >= 10000
    to: [role:cashier, creator]
    message:
      title: "{{ doc.FBillNo }} approved"
      body: |
        **{{ doc.FSupplierId.FName }}** {{ doc.FAmount | money }}
"""
DIRECTORY = """match: [mobile]
users: {zhangsan: user7}
roles: {cashier: [user:user3]}
locales: {user7: vi}
"""
FILES = {"kdsync.yaml": MAIN, "rules.yaml": RULES, "directory.yaml": DIRECTORY}
ODD = [
    *(
        "\x00",
        "\ufeff",
        "\u2028",
        "\u202e",
        "\x85",
        "\t",
        "\r",
        "\ud7ff",
        "é",
        "𝄞",
        "&a ",
        "*a ",
        "<<: ",
        "? ",
        "!!python/",
    ),
    *("- ", ": ", "{", "}", "[", "]", "|", ">", "'", '"', "#", "%YAML 9.9\n", "---\n", "...\n", "{{", "}}", "{%", "%}"),
    *("1" * 400, "1e999", ".nan", ".inf", "0x" + "f" * 400, "~", "null", "yes", "2026-02-30", "1:" * 50, "!!binary ="),
    *(
        "{a: " * 100,
        "[" * 100,
        "? " * 100,
        "- " * 100,
        "&a [*a, *a]",
        "a" * 3000,
        "{{ 9 ** 9 ** 9 }}",
        "{{ 'a' * 10 ** 9 }}",
    ),
]


@st.composite
def spoiled(draw: st.DrawFn, good: str) -> bytes:
    """A good file with something odd put in, taken out or turned round, in some encoding."""
    text = good
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        text = text[:start] + draw(st.sampled_from(ODD) | st.text(max_size=10)) + text[end:]
    encoding = draw(st.sampled_from(["utf-8"] * 8 + ["utf-16", "utf-32", "gb18030", "latin-1"]))
    return text.encode(encoding, "replace") if draw(st.integers(0, 15)) else draw(noise)


@thorough
@given(st.sampled_from([*FILES, "secret"]), st.data())
def test_a_configuration_is_loaded_or_its_mistakes_are_told(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("etc")
    for file, text in FILES.items():
        (folder / file).write_text(text)
    (folder / "secret").write_text("s3cr3t")
    (folder / name).write_bytes(data.draw(spoiled(FILES.get(name, "s3cr3t"))))
    started = time.monotonic()
    try:
        load(folder / "kdsync.yaml", {"SECRET": "s3cr3t"})
    except ConfigurationError as error:
        in_bounds(error)
    assert time.monotonic() - started < 10.0


def in_bounds(error: ConfigurationError) -> None:
    assert error.problems
    assert all(len(str(problem)) < 20_000 for problem in error.problems)
    assert all(problem.line >= 1 and problem.column >= 1 for problem in error.problems)


def laughs(levels: int) -> bytes:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


def merges(levels: int) -> bytes:
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, levels)]
    return "\n".join(lines).encode()


HEAVY = {
    "a billion laughs": laughs(12),
    "a billion merges": merges(12),
    "deep lists": b"[" * 500_000,
    "deep mappings": b"{a: " * 200_000,
    "deep blocks": b"- " * 500_000,
    "deep keys": b"? " * 500_000,
    "a megabyte of anchors": b"\n".join(b"- &a%d x" % n for n in range(80_000)),
    "a megabyte of aliases": b"- &a x\n" + b"- *a\n" * 170_000,
    "a megabyte in one word": b"a: " + b"x" * (MEGABYTE - 10),
    "a megabyte in one key": b"x" * (MEGABYTE - 10) + b": a",
    "a megabyte in one quoted text": b'a: "' + b"\\x41" * 260_000 + b'"',
    "a megabyte of empty lines": b"\n" * (MEGABYTE - 1),
    "a megabyte of comments": b"#\n" * (MEGABYTE // 2 - 1),
    "a megabyte of digits": b"a: " + b"9" * (MEGABYTE - 10),
    "a megabyte of fractions": b"a: 1." + b"9" * (MEGABYTE - 10),
    "a hundred thousand documents": b"---\n" * 100_000,
    "tags": b"!<" + b"a" * 500_000 + b"> x",
    "a megabyte of colons": b"a:" * (MEGABYTE // 2 - 1),
    "a megabyte of tabs": b"\t" * (MEGABYTE - 1),
    "a megabyte of doubled keys": b"a: 1\n" * 200_000,
    "two megabytes": b"#" * 2 * MEGABYTE,
}


@pytest.mark.parametrize("content", HEAVY.values(), ids=list(HEAVY))
def test_a_file_that_is_meant_to_be_heavy_is_read_soon_and_in_bounds(content: bytes) -> None:
    tracemalloc.start()
    started = time.process_time()
    try:
        parse_yaml(content, "x.yaml")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < 20.0  # as slow as that only while memory is traced
    assert peak < 200 * MEGABYTE


LOG = (
    "declaration,amount_eur,time,activity,role\nd1,12.5,2026-01-02T10:00:00+01:00,Declaration SUBMITTED by EMPLOYEE,E\n"
)
STRANGE = [
    "1e999999",
    "NaN",
    "-0",
    "9999-12-31T23:59:59.999",
    "0000-00-00",
    '"',
    "\x00",
    ",",
    "\n",
    "\r",
    "x" * 200_000,
]


@thorough
@given(st.data())
def test_a_log_for_the_replay_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    text = LOG
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        end = at + data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(st.sampled_from(STRANGE) | st.text(max_size=5)) + text[end:]
    path = tmp_path_factory.mktemp("log") / data.draw(st.sampled_from(["log.csv", "log.csv.gz"]))
    path.write_bytes(data.draw(st.just(text.encode("utf-8", "replace")) | noise))
    try:
        rows = replay.read(path)
    except replay.LogError as error:
        said = str(error)
    else:
        said = str(replay.plan(rows, ["a", "b"], "office").skipped)
    assert len(said) < 2_000


def test_a_gzipped_log_that_is_cut_or_no_gzip(tmp_path: Path) -> None:
    whole = gzip.compress(LOG.encode() * 100)
    for content in (whole[:-20], whole[:30] + b"\xff" * 40 + whole[70:], b"\x1f\x8b", b""):
        path = tmp_path / "log.csv.gz"
        path.write_bytes(content)
        with pytest.raises(replay.LogError):
            replay.read(path)
