"""What DingTalk's own pages, samples and users do not agree on: the simulated one can do either."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Manners:
    """As most sources have it, until somebody sets it otherwise.

    `dates`: answers have a `Date`. `event_headers`: what the headers of an event are called in its frame.
    `click_content`: what the content of a click is called; `params_beside`: its `params` stand beside
    `cardPrivateData`, not in it. `repeats_messages`: what somebody wrote and nobody answered is pushed again;
    `new_ids`: with another `msgId`. `messages_a_day` to one person, `longest_message` in bytes, `bar_days` in which a
    status bar can be changed.
    """

    dates: bool = True
    event_headers: str = "headers"
    click_content: str = "content"
    params_beside: bool = False
    repeats_messages: bool = True
    new_ids: bool = False
    messages_a_day: int = 500
    longest_message: int = 2048
    bar_days: int = 7
