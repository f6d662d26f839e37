"""Bytes as no sane system sends them: a good answer that is wrong in one place or two, and plain noise.

`KDSYNC_EXPLORE=5000 pytest tests/property` looks further than a usual run, and elsewhere each time.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXPLORE = int(os.environ.get("KDSYNC_EXPLORE", "0"))
thorough = settings(
    max_examples=EXPLORE or 90,
    derandomize=not EXPLORE,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Raw:
    """A token of JSON, or of what is none."""

    text: str

    def __repr__(self) -> str:
        return f"Raw({self.text[:40]!r} of {len(self.text)})"


NUMBERS = ["1e999", "-1E+999999", "1e99999999999999999999", "1e-999999", "NaN", "Infinity", "-Infinity", "-0", "-0.0"]
NUMBERS += ["9" * 19, "9" * 40, "9" * 350, "1" * 5000, "0." + "3" * 30, "0." + "3" * 5000, "1.5", "0", "true", "false"]
TEXTS = [r'"\ud800"', r'"\udc00x"', r'"\\ud83d\ude00"', r'"\u0000"', r'"\u202e\u0007"', '""', '" "']
TEXTS += ['"' + "长" * 9000 + '"', '"' + "9" * 5000 + '"', '"NaN"', '"1e999"', '"{{ 7 * 7 }}"', r'"a\r\nb: c"', '"é"']
TEXTS += ['"0000-00-00T00:00:00"', '"9999-12-31T23:59:59.999"', '"0001-01-01T00:00:00"', '"2026-02-30T10:00:00"']
SHAPES = ["null", "[]", "{}", "[[]]", "[null]", '[{"a":[]}]', '{"":{}}', "", "\xff", "undefined", "'x'", "[" * 100_000]
SHAPES += ["[" * 90 + "]" * 90, '{"a":' * 300 + "1" + "}" * 300, "[" * 990 + "]" * 990, "[" * 5000 + "]" * 5000]
tokens = st.sampled_from([Raw(text) for text in (*NUMBERS, *TEXTS, *SHAPES)])
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
anything = tokens | st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
noise = st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Every place in a JSON value, the whole first."""
    yield at
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*at, index))


def _changed(value: Any, at: Place, put: Any) -> Any:
    """`value` with something else at a place; `put` takes what was there and gives what is, or nothing to drop it."""
    if not at:
        return put
    changed = copy.copy(value)
    if put is DROPPED and len(at) == 1:
        del changed[at[0]]
    else:
        changed[at[0]] = _changed(value[at[0]], at[1:], put)
    return changed


DROPPED = object()


def written(value: Any) -> str:
    """JSON, with raw tokens as they are."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


@st.composite
def mutated(draw: st.DrawFn, good: Any, *, most: int = 2) -> bytes:
    """The bytes of a good answer that went wrong in one place or two, or was cut off, or is noise."""
    value = good
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.sampled_from(list(places(value))))
        put = draw(anything | st.just(DROPPED)) if at else draw(anything)
        value = _changed(value, at, put)
    body = written(value).encode("latin-1" if draw(st.integers(0, 9)) == 0 else "utf-8", "replace")
    match draw(st.integers(0, 9)):
        case 0:
            return body[: draw(st.integers(0, len(body)))]
        case 1:
            cut = draw(st.integers(0, len(body)))
            return body[:cut] + draw(noise) + body[cut:]
        case 2:
            return draw(noise)
    return body
