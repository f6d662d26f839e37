"""One token for many threads."""

from __future__ import annotations

from threading import Thread

from kdsync.clock import FakeClock
from kdsync.dingtalk.tokens import TokenCache


def test_while_a_token_is_renewed_other_threads_go_on_with_the_old_one(clock: FakeClock) -> None:
    fetched: list[str] = []
    used: list[str] = []

    def fetch() -> tuple[str, float]:
        if fetched:
            other = Thread(target=lambda: used.append(cache.get()))
            other.start()
            other.join(5)
        fetched.append(f"token-{len(fetched)}")
        return fetched[-1], 7200

    cache = TokenCache(fetch, clock)
    assert cache.get() == "token-0"
    clock.advance(6600)
    assert cache.get() == "token-1"
    assert used == ["token-0"]
    assert cache.get() == "token-1"
    assert len(fetched) == 2


def test_a_token_that_another_thread_replaced_is_not_dropped(clock: FakeClock) -> None:
    fetched = iter(("first", "second", "third"))
    cache = TokenCache(lambda: (next(fetched), 7200), clock)
    old = cache.get()
    cache.drop(old)
    assert cache.get() == "second"
    cache.drop(old)
    assert cache.get() == "second"
