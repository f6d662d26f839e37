"""`kdsync outbox …` on the command line; what the commands do is in outbox.py, which takes longer to import."""

from __future__ import annotations

from typing import Annotated

import typer

from kdsync.cli.options import DEFAULT, Config, Ids, Json, Limit, OutboxState, states

outbox_app = typer.Typer(no_args_is_help=True, help="What waits to be sent, or was given up.")


@outbox_app.command("list")
def outbox_list(
    config: Config = DEFAULT,
    state: Annotated[list[OutboxState] | None, typer.Option(metavar="STATE", help=states(OutboxState))] = None,
    limit: Limit = 100,
    json_output: Json = False,
) -> None:
    """What waits, what is dead, what is held, and storms."""
    from kdsync.cli.outbox import listing as command

    raise typer.Exit(command(config, state or [], limit, json_output=json_output))


@outbox_app.command("show")
def outbox_show(
    ident: Annotated[str, typer.Argument(metavar="ID", help="As `outbox list` prints it; its beginning is enough.")],
    config: Config = DEFAULT,
    json_output: Json = False,
) -> None:
    """One message, and every try to send it."""
    from kdsync.cli.outbox import show as command

    raise typer.Exit(command(config, ident, json_output=json_output))


@outbox_app.command("retry")
def outbox_retry(ids: Ids, config: Config = DEFAULT, json_output: Json = False) -> None:
    """Send again what is dead or waits, at once. `all` stands for everything dead."""
    from kdsync.cli.outbox import retry as command

    raise typer.Exit(command(config, ids, json_output=json_output))


@outbox_app.command("release")
def outbox_release(
    ids: Annotated[list[str], typer.Argument(metavar="STORM|FORM", help="A storm's id, or a form.")],
    config: Config = DEFAULT,
    json_output: Json = False,
) -> None:
    """Send one by one what a storm summed up, or is held of a form."""
    from kdsync.cli.outbox import release as command

    raise typer.Exit(command(config, ids, json_output=json_output))


@outbox_app.command("drop")
def outbox_drop(
    ids: Ids,
    reason: Annotated[str, typer.Option(metavar="WHY", help="It stays in the record.")],
    config: Config = DEFAULT,
    json_output: Json = False,
) -> None:
    """Give up what is dead or waits, or what is held of a form. It stays visible as dropped."""
    from kdsync.cli.outbox import drop as command

    raise typer.Exit(command(config, ids, reason, json_output=json_output))
