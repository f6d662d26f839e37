"""What intakes get wrong that only shows beside other parts: an approval becomes one document, and has to be heard."""

from __future__ import annotations

from collections.abc import Iterator

from kdsync.errors import Problem
from kdsync.settings.crosscheck import entries, is_off, repeated, repeated_ids
from kdsync.settings.sources import Sources


def crosscheck_intake(sources: Sources) -> Iterator[Problem]:
    """Every mistake between intakes and the other parts of one configuration."""
    yield from repeated_ids(sources.rules, "intake", "intake")
    once = "one approval becomes one document"
    yield from repeated(sources.rules, "intake", "process", "{} is already the process of the intake at {}", once)
    if not is_off(sources.main.value(("dingtalk", "stream"))):
        return
    for file in sources.rules:
        if entries(file.value(("intake",))):
            yield file.at_key(("intake",), "needs DingTalk's Stream, which is off", "remove dingtalk.stream: off")
