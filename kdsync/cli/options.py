"""The options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT = Path("/etc/kdsync/kdsync.yaml")
Config = Annotated[Path, typer.Option("-c", "--config", envvar="KDSYNC_CONFIG", help="kdsync.yaml", show_default=True)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Faults = Annotated[
    str | None,
    typer.Option(
        metavar="PROFILE", help="Let things go wrong: bad-day, or http500=0.05,session_lost=3; `list` prints them all."
    ),
]
Seed = Annotated[int | None, typer.Option(help="Makes what goes wrong repeatable.")]
Userid = Annotated[str, typer.Argument(metavar="USERID", help="The person's userid in DingTalk.")]
Ids = Annotated[list[str], typer.Argument(help="Ids as `outbox list` prints them; the first characters are enough.")]
