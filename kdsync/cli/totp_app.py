"""`kdsync totp …` on the command line; what the commands do is in totp.py, which takes longer to import."""

from __future__ import annotations

from typing import Annotated

import typer

from kdsync.cli.options import DEFAULT, Config, Json, Userid

totp_app = typer.Typer(no_args_is_help=True, help="Who has one-time codes, for `limit: {above: totp}`.")


@totp_app.command("enrol")
def totp_enrol(
    userid: Userid,
    config: Config = DEFAULT,
    yes: Annotated[bool, typer.Option("--yes", help="Keep it without a code that shows that the app has it.")] = False,
) -> None:
    """Make a secret for somebody's authenticator app.

    It is shown once, as a QR code and as text, and kept when a code that the app shows was typed.
    """
    from kdsync.cli.totp import enrol as command

    raise typer.Exit(command(config, userid, confirmed=yes))


@totp_app.command("list")
def totp_list(config: Config = DEFAULT, json_output: Json = False) -> None:
    """Who has codes, and who is locked."""
    from kdsync.cli.totp import listing as command

    raise typer.Exit(command(config, json_output=json_output))


@totp_app.command("remove")
def totp_remove(userid: Userid, config: Config = DEFAULT, json_output: Json = False) -> None:
    """Forget somebody's secret, and a lock with it."""
    from kdsync.cli.totp import remove as command

    raise typer.Exit(command(config, userid, json_output=json_output))
