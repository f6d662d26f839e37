"""The `kdsync` command. Everything heavy is imported by the command that needs it, so that `--help` is quick."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from kdsync.cli.inbox_app import inbox_app
from kdsync.cli.options import DEFAULT, Config, Faults, Json, Level, Port, Seed
from kdsync.cli.outbox_app import outbox_app
from kdsync.cli.totp_app import totp_app

CONFIGURATION_ERROR = 78  # EX_CONFIG of sysexits.h
UNWRITABLE = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What it means that nothing more can be written; who minds his files says it in words of his own."""

app = typer.Typer(
    name="kdsync",
    help="Tells the right person in DingTalk what changed in Kingdee Cloud Xingkong.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help answers in half the time
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(outbox_app, name="outbox")
app.add_typer(inbox_app, name="inbox")
app.add_typer(totp_app, name="totp")


def _version(wanted: bool) -> None:
    if wanted:
        from kdsync import __version__

        print(f"kdsync {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Tells the right person in DingTalk what changed in Kingdee Cloud Xingkong."""
    _ = version


@app.command()
def run(
    config: Config = DEFAULT,
    log_level: Annotated[Level, typer.Option(metavar="LEVEL", help="debug, info, warning or error")] = Level.INFO,
) -> None:
    """Run the daemon in the foreground. SIGTERM ends it, SIGHUP reloads the rules."""
    from kdsync.cli.run import run as command

    _exit(command(config, log_level))


@app.command()
def check(
    config: Config = DEFAULT,
    live: Annotated[
        bool, typer.Option("--live", help="Also ask Kingdee for the fields and DingTalk for the people.")
    ] = False,
    json_output: Json = False,
) -> None:
    """Find every mistake in the configuration.

    Where there is none, say what was found in it.
    """
    from kdsync.cli.live import check as command

    _exit(command(config, live=live, json_output=json_output))


@app.command()
def doctor(config: Config = DEFAULT, json_output: Json = False) -> None:
    """Try every connection and permission; say the cures.

    From name resolution to the fields of each form: what was tried, how it went, and what to do about it.
    """
    from kdsync.cli.doctor import doctor as command

    _exit(command(config, json_output=json_output))


@app.command()
def status(config: Config = DEFAULT, json_output: Json = False) -> None:
    """How it is doing: forms, messages, answers, calls, alarms.

    Ends with 1 where it does not run or something is wrong; with --json always with 0.
    """
    from kdsync.cli.status import status as command

    _exit(command(config, json_output=json_output))


@app.command()
def trace(
    number: Annotated[str, typer.Argument(metavar="BILLNO", help="The bill's number; or the id of a storm.")],
    config: Config = DEFAULT,
    json_output: Json = False,
) -> None:
    """Everything that happened to one document.

    With the id of a storm: every message that it sums up, and whom each would have told.
    """
    from kdsync.cli.trace import trace as command

    _exit(command(config, number, json_output=json_output))


@app.command()
def accept(
    what: Annotated[str, typer.Argument(metavar="FORM|account", help="A form, or the word account.")],
    config: Config = DEFAULT,
    json_output: Json = False,
) -> None:
    """Say that what Kingdee shows now is the truth.

    Of a form: deletions that were held back, because so many documents vanished at once, are told. Of the account: the
    account set that answers now is the right one.
    """
    from kdsync.cli.accept import accept as command

    _exit(command(config, what, json_output=json_output))


@app.command()
def schema(which: Annotated[str, typer.Argument(metavar="FILE", help="kdsync, rules or directory")] = "kdsync") -> None:
    """Print the JSON Schema of a YAML file, for editors."""
    from kdsync.cli.schema import print_schema as command

    _exit(command(which))


@app.command()
def demo(
    replay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Play a log of expense declarations (CSV, may be gzipped).")
    ] = None,
    seconds: Annotated[float, typer.Option(metavar="N", help="About how long the day takes.", min=5)] = 40.0,
    limit: Annotated[
        int, typer.Option(metavar="N", help="Replay: this many declarations at most; 0 is all.", min=0)
    ] = 0,
    speed: Annotated[
        float,
        typer.Option(metavar="N", help="Replay: 1 is as fast as DingTalk allows, 0.5 half as fast.", min=0.01, max=1),
    ] = 1.0,
    faults: Faults = None,
    seed: Seed = None,
) -> None:
    """A company's day between simulated systems.

    The real daemon runs between a simulated Kingdee and a simulated DingTalk.
    """
    from kdsync.cli.demo import demo as command

    _exit(command(replay, seconds, limit, speed, faults, seed))


@app.command()
def simulate(
    kingdee_port: Port = 0,
    dingtalk_port: Port = 0,
    faults: Faults = None,
    seed: Seed = None,
) -> None:
    """Run the simulated Kingdee and DingTalk alone.

    For trying rules: a small company works in them.
    """
    from kdsync.cli.simulate import simulate as command

    _exit(command(kingdee_port, dingtalk_port, faults, seed))


def _exit(code: int) -> None:
    raise typer.Exit(code)


def main() -> None:
    """The console script: errors meant for people end as one line, not as a traceback."""
    from kdsync.errors import ConfigurationError, KdsyncError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no odd encoding ends anything half-way
    try:
        _run()
    except ConfigurationError as error:
        for problem in error.problems:
            _complain(str(problem))
        sys.exit(CONFIGURATION_ERROR)
    except KdsyncError as error:
        _complain(f"kdsync: {error}")
        sys.exit(1)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # at its end Python would try once more
        if error.errno != errno.EPIPE:  # who read it has seen enough
            _complain(f"kdsync: nothing more can be written: {error.strerror} (make room, also where the output goes)")
        sys.exit(1)


def _run() -> None:
    try:
        app()
    finally:
        if sys.stdout:  # nobody may have opened it
            sys.stdout.flush()


def _complain(text: str) -> None:
    """To whom it concerns: within the width of a terminal, or on one line for whatever reads it otherwise."""
    from rich.console import Console

    whole = not sys.stderr.isatty()
    Console(stderr=True, highlight=False, markup=False, emoji=False).print(text, soft_wrap=whole)
