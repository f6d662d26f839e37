"""What may pass is tried again for a while, what cannot is given up at once, and what kdsync stumbles over soon."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import pytest

from kdsync.errors import EdgeError, FailureKind
from kdsync.services import intake
from kdsync.services.carry import NotYetError
from kdsync.services.patience import Again, Enough, Patience

HOUR = timedelta(hours=1)
PATIENCE = Patience(HOUR, (2.0, 30.0))


def failed(kind: FailureKind, retry_after: float | None = None) -> EdgeError:
    return EdgeError("kingdee", kind, "x", "no", retry_after=retry_after)


@pytest.mark.parametrize(
    ("error", "tries", "waited", "becomes"),
    [
        (failed(FailureKind.TRANSIENT), 0, timedelta(), Again(2.0, "kingdee: no [x]")),
        (failed(FailureKind.UNKNOWN_OUTCOME), 7, timedelta(), Again(30.0, "kingdee: no [x]")),
        (failed(FailureKind.TRANSIENT, 9.0), 0, timedelta(), Again(9.0, "kingdee: no [x]")),
        (failed(FailureKind.QUOTA, 86_400.0), 0, timedelta(), Again(30.0, "kingdee: no [x]")),
        (failed(FailureKind.TRANSIENT), 0, HOUR, Enough("kingdee: no [x]", late=True)),
        (failed(FailureKind.REFUSED), 0, timedelta(), Enough("kingdee: no [x]")),
        (failed(FailureKind.CONFIGURATION), 0, HOUR, Enough("kingdee: no [x]")),
        (NotYetError("wait"), 99, timedelta(), Again(30.0, "wait")),
        (NotYetError("wait"), 0, HOUR, Enough("wait", late=True)),
        (KeyError("a secret"), 3, timedelta(), Again(30.0, "kdsync stumbled over it (KeyError)")),
        (KeyError("a secret"), 4, timedelta(), Enough("kdsync stumbled over it (KeyError)")),
        (KeyError("a secret"), 0, HOUR, Enough("kdsync stumbled over it (KeyError)", late=True)),
    ],
)
def test_a_failure_is_judged(error: Exception, tries: int, waited: timedelta, becomes: Again | Enough) -> None:
    assert PATIENCE.judge(error, tries, waited) == becomes


def test_what_is_old_already_when_it_is_first_tried_is_tried_some_times() -> None:
    patience = Patience(HOUR, (1.0,), least=3)
    judged = [patience.judge(failed(FailureKind.TRANSIENT), tries, 2 * HOUR) for tries in range(3)]
    assert [isinstance(one, Enough) for one in judged] == [False, False, True]


def tries(patience: Patience, error: Exception) -> int:
    """How often something is tried that fails until it is given up."""
    waited = timedelta()
    for before in count():
        judged = patience.judge(error, before, waited)
        if isinstance(judged, Enough):
            return before + 1
        waited += timedelta(seconds=judged.seconds)
    raise AssertionError


def test_dingtalk_is_asked_less_often_than_kingdee_for_each_call_is_one_of_the_months() -> None:
    asked = [tries(one, failed(FailureKind.TRANSIENT)) for one in (intake.PATIENCE, intake.COSTLY)]
    assert asked[1] < 160 < asked[0] < 900
