"""Fetches the next pages while one is worked on: on a distant server waiting takes longer than comparing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

AHEAD = 5
"""Pages that are fetched before they are wanted."""


class Ending(Protocol):
    """An answer that knows whether it is the last."""

    @property
    def last(self) -> bool: ...


Answer = TypeVar("Answer", bound=Ending)


def fetched_ahead(answers: Iterator[Answer]) -> Iterator[Answer]:
    """The same, the next ones always being fetched already; the thread ends with the iteration, however that ends."""
    thread = ThreadPoolExecutor(1, "kingdee-ahead")
    try:
        coming = deque(thread.submit(next, answers) for _ in range(AHEAD))
        while not (answer := coming.popleft().result()).last:
            coming.append(thread.submit(next, answers))
            yield answer
        yield answer
    finally:
        thread.shutdown(cancel_futures=True)
