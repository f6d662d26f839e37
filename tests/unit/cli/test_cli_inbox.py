"""What `kdsync inbox retry` takes in again, and what it says of the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from kdsync.cli import inbox as command
from kdsync.errors import KdsyncError
from kdsync.store import inbox, intake
from kdsync.store.database import Database
from kdsync.store.inbox import Received
from kdsync.store.schema import inbox as rows
from kdsync.store.sealing import Seal

NOW = datetime(2026, 11, 28, 1, tzinfo=UTC)
APPROVAL = {"instance": "A1", "process": "P"}


def keep(store: Database, *items: Received) -> None:
    with store.write() as tx:
        for item in items:
            inbox.add(tx, Seal(), item)


def approval(ident: str, state: str) -> Received:
    return Received(ident, intake.APPROVAL, "u1", APPROVAL, NOW, state=state)


def states(store: Database) -> dict[str, str]:
    with store.read() as tx:
        return {item.id: item.state for item in intake.listing(tx, Seal(), ())}


def test_all_are_the_approvals_that_came_to_nothing_and_can_be_read(
    config: Path, store: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Received("e1", inbox.MESSAGE, "u1", {"text": "x"}, NOW, state=inbox.REFUSED)
    kept = [("a1", inbox.REFUSED), ("b1", inbox.FAILED), ("c1", inbox.IGNORED), ("d1", inbox.FAILED)]
    keep(store, said, *(approval(*one) for one in kept))
    with store.write() as tx:
        tx.execute(update(rows).where(rows.c.id == "d1").values(content=b"\x00"))
    assert command.retry(config, ["all"], json_output=False) == 0
    assert capsys.readouterr().out == "2 tried again\n"
    assert states(store) == {
        "a1": intake.TAKEN,
        "b1": intake.TAKEN,
        "c1": inbox.IGNORED,
        "d1": inbox.FAILED,
        "e1": inbox.REFUSED,
    }


@pytest.mark.parametrize(
    ("ident", "said"),
    [
        ("zz", "nothing in the inbox has an id that begins with zz"),
        ("a", "several ids begin with a: write more of it"),
        ("m1", "m1 is what somebody said: they can say it again"),
        ("a1", "a1 is done: there is nothing to try again"),
        ("d1", "what is stored of d1 is damaged: enter that approval by hand"),
    ],
)
def test_what_cannot_be_tried_again_says_why_and_nothing_else_is(
    config: Path, store: Database, ident: str, said: str
) -> None:
    heard = Received("m1", inbox.MESSAGE, "u1", {"text": "x"}, NOW)
    kept = [("a1", inbox.DONE), ("a2", inbox.DONE), ("b1", inbox.FAILED), ("d1", inbox.FAILED)]
    keep(store, heard, *(approval(*one) for one in kept))
    with store.write() as tx:
        tx.execute(update(rows).where(rows.c.id == "d1").values(content=b"\x00"))
    with pytest.raises(KdsyncError, match=f"^{said}$"):
        command.retry(config, ["b1", ident], json_output=False)
    assert states(store)["b1"] == inbox.FAILED
