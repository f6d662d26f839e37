"""`kdsync inbox …` on the command line; what the commands do is in inbox.py, which takes longer to import."""

from __future__ import annotations

from typing import Annotated

import typer

from kdsync.cli.options import DEFAULT, Config, InboxState, Json, Limit, states

inbox_app = typer.Typer(no_args_is_help=True, help="What people said and what was approved in DingTalk.")


@inbox_app.command("list")
def inbox_list(
    config: Config = DEFAULT,
    state: Annotated[list[InboxState] | None, typer.Option(metavar="STATE", help=states(InboxState))] = None,
    limit: Limit = 100,
    json_output: Json = False,
) -> None:
    """What waits, and what came to nothing."""
    from kdsync.cli.inbox import listing as command

    raise typer.Exit(command(config, state or [], limit, json_output=json_output))


@inbox_app.command("retry")
def inbox_retry(
    ids: Annotated[
        list[str],
        typer.Argument(metavar="ID", help="Ids as `inbox list` prints them; the first characters are enough."),
    ],
    config: Config = DEFAULT,
    json_output: Json = False,
) -> None:
    """Take approvals into Kingdee that came to nothing. `all` stands for every one."""
    from kdsync.cli.inbox import retry as command

    raise typer.Exit(command(config, ids, json_output=json_output))
