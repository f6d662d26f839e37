"""The options that several commands have."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DEFAULT = Path("/etc/kdsync/kdsync.yaml")
Config = Annotated[
    Path, typer.Option("-c", "--config", metavar="FILE", envvar="KDSYNC_CONFIG", help="kdsync.yaml", show_default=True)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Faults = Annotated[
    str | None,
    typer.Option(
        metavar="PROFILE", help="Let things go wrong: bad-day, or http500=0.05,session_lost=3; `list` prints them all."
    ),
]
Port = Annotated[int, typer.Option(metavar="PORT", help="0: any free port.", min=0, max=65_535)]
Seed = Annotated[int | None, typer.Option(metavar="N", help="Makes what goes wrong repeatable.")]
Userid = Annotated[str, typer.Argument(metavar="USERID", help="The person's userid in DingTalk.")]
Ids = Annotated[
    list[str],
    typer.Argument(metavar="ID", help="Ids as `outbox list` prints them; the first characters are enough."),
]
Limit = Annotated[int, typer.Option(metavar="N", help="So many at the most.", min=1, max=10_000)]


class Level(StrEnum):
    """How much is logged."""

    DEBUG, INFO, WARNING, ERROR = "debug", "info", "warning", "error"


class OutboxState(StrEnum):
    """What can be listed of the outbox."""

    WAITING, LEASED, ACCEPTED, DEAD, DROPPED = "waiting", "leased", "accepted", "dead", "dropped"
    HELD, STORM = "held", "storm"


class InboxState(StrEnum):
    """What can be listed of the inbox; `half` and `asked` wait for a second person and for a code."""

    WAITING, INTAKE, DONE, REFUSED, FAILED = "waiting", "intake", "done", "refused", "failed"
    IGNORED, UNDONE, HALF, ASKED, CODED = "ignored", "undone", "half", "asked", "coded"


def states(of: type[StrEnum]) -> str:
    """Those of a kind, for `--help`."""
    *others, last = of
    return f"{', '.join(others)} or {last}; may be given several times"
