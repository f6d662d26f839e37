"""What the demo prints: readable at any width, coloured on a terminal, plain in a pipe, never a line too long."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from rich.cells import set_cell_size
from rich.console import Console
from rich.text import Text

from kdsync.clock import Clock
from kdsync.delivery.words import status as status_words
from kdsync.demo.player import Rung, wording
from kdsync.demo.script import Filed, Step
from kdsync.demo.tally import Verdict
from kdsync.kingdee.catalogue import facts_without_metadata

PHRASES: Mapping[str, str] = {
    "create": "creates",
    "edit": "changes",
    "write_back": "amends",
    "submit": "submits",
    "audit": "approves",
    "reject": "rejects",
    "unaudit": "un-approves",
    "cancel": "voids",
    "close": "closes",
    "delete": "deletes",
}
STYLES: Mapping[str, str] = {"audit": "green", "reject": "red", "cancel": "red", "unaudit": "red", "delete": "red"}
INDENT = " " * 10
FOOTER = re.compile(r" · #[0-9a-f]{8}$")
LINES = 3  # of a message
LABEL = 22
PIPE_PAUSE = 10.0  # seconds between two lines of progress where they cannot be overwritten


class Screen:
    """Prints to standard output. `names` are those of the phones' owners, `actors` those of the Kingdee accounts."""

    def __init__(self, clock: Clock, actors: Mapping[str, str], phones: Mapping[str, str]) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=False)
        self._clock = clock
        self._actors, self._phones = actors, phones
        self._progress_at: float | None = None

    def say(self, text: str = "", style: str = "") -> None:
        """A paragraph, wrapped between words."""
        self._console.print(text, style=style or None)

    def verbatim(self, text: str) -> None:
        """Lines to copy, whatever the width."""
        self._console.print(text, style="cyan", soft_wrap=True)

    def step(self, step: Step, paper: Filed, at: datetime) -> None:
        """What somebody did in Kingdee, or wrote in DingTalk."""
        if step.verb == "answer":
            self._answer(step, paper, at)
            return
        title = facts_without_metadata(paper.form).title
        verb = step.says or PHRASES[step.verb]
        line = Text.assemble(
            (f"{at.astimezone():%H:%M:%S}  ", "dim"),
            (self._actors[step.actor], "bold"),
            (f" {verb} ", STYLES.get(step.verb, "")),
            (f"{title['zh']} {title['en']}", "cyan"),
            (f" {paper.number}" if paper.number else "", "bold"),
            _detail(step, paper),
        )
        self._line(line)

    def _answer(self, step: Step, paper: Filed, at: datetime) -> None:
        self._line(
            Text.assemble(
                (f"{at.astimezone():%H:%M:%S}  ", "dim"),
                (self._actors[step.actor], "bold"),
                (" writes: ", "magenta"),
                (wording(step, paper), "bold magenta"),
            )
        )

    def rung(self, rung: Rung) -> None:
        """What appeared on phones: on whose, how long after the change, and how it begins."""
        if Verdict.EXPLAINED in rung.verdicts:
            self.seen(rung)
            return
        bad = next((f" ({verdict.value}!)" for verdict in rung.verdicts if verdict is not Verdict.SEEN), "")
        self._phones_show(rung, f"+{rung.delay:.1f} s", bad)
        if rung.paper:
            self._line(_standing(rung, rung.paper))

    def seen(self, rung: Rung) -> None:
        """What appeared on phones, and when."""
        self._phones_show(rung, f"{rung.seen[0].time.astimezone():%H:%M:%S}")

    def _phones_show(self, rung: Rung, when: str, bad: str = "") -> None:
        first = rung.seen[0]
        who = ", ".join(self._phones.get(one.who, one.who) for one in rung.seen)
        head = Text.assemble((f"{when:>8}  ", "dim"), (f"> {who}", "yellow"), ": ", (first.title, "bold yellow"))
        self._line(head.append(bad, "bold red"))
        told = " / ".join(beginning(first.title, first.text))
        if told:
            self._line(Text(f"{INDENT}  {told}", style="dim"))

    def struck(self, system: str, name: str, place: Mapping[str, str]) -> None:
        """What was made to go wrong, and where."""
        where = " ".join(part.strip("/") for key, part in place.items() if key != "kind")
        when = self._clock.now().astimezone()
        self._line(Text.assemble((f"{when:%H:%M:%S}  ", "dim"), ("fault ", "red"), f"{system}.{name} at {where}"))

    def figures(self, title: str, rows: Iterable[tuple[str, str, bool]]) -> None:
        """Lines of label, figure, and whether it is as it should be."""
        self.progress_over()
        self._line(Text())
        self._line(Text(title, style="bold"))
        for label, figure, good in rows:
            self._line(Text.assemble(f"  {set_cell_size(label, LABEL + 14)}", (figure, "" if good else "bold red")))

    def progress(self, text: str, *, last: bool = False) -> None:
        """A line that is written over on a terminal, and comes every few seconds in a pipe."""
        now = self._clock.monotonic()
        terminal = self._console.is_terminal
        due = self._progress_at is None or now - self._progress_at >= (0.5 if terminal else PIPE_PAUSE)
        if not (due or last):
            return
        self._progress_at = now
        if terminal:
            self._console.file.write("\r\x1b[2K")
        line = Text(text, style="cyan")
        self._console.print(line, no_wrap=True, overflow="ellipsis", crop=True, end="" if terminal else "\n")

    def progress_over(self) -> None:
        """Nothing overwrites the last line of progress any more."""
        if self._progress_at is not None and self._console.is_terminal:
            self._console.print()
        self._progress_at = None

    def _line(self, line: Text) -> None:
        self._console.print(line, no_wrap=True, overflow="ellipsis", crop=True)


def beginning(title: str, text: str) -> Sequence[str]:
    """The first lines of a message, without its title and kdsync's own last line."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(title) and not FOOTER.search(line)][:LINES]


def _standing(rung: Rung, paper: Filed) -> Text:
    title, wrong = facts_without_metadata(paper.form).title, "" if rung.right else " (wrong!)"
    status = status_words(rung.status, "en") if rung.status else "-"
    return Text.assemble(
        f"{INDENT}= ",
        ("Kingdee: ", "bold"),
        (f"{title['zh']} {paper.number} ", "cyan"),
        (status, "bold green" if rung.right else ""),
        (wrong, "bold red"),
    )


def _detail(step: Step, paper: Filed) -> str:
    content = step.content
    if paper.amount is not None and (content is None or content.amount is not None):
        return f", {paper.amount:,.2f}"
    about = content.about if content else paper.about
    return f": {about}" if about else ""
