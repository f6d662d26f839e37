"""What stays odd about a form from look to look: told once, and again only after it was over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kdsync import logs
from kdsync.services.notices import Notices
from kdsync.services.oddities import NAMED, listed
from kdsync.services.report import Report

log = logs.get("standing")
WHOLE = ("keys", "full")


@dataclass(slots=True)
class Standing:
    """One form's. Only what begins or ends costs anything; what was told is in the store, whatever ends the daemon."""

    form: str
    notices: Notices
    _stands: dict[str, bool] = field(default_factory=dict)

    def take(self, report: Report) -> None:
        """Note what a look met, and what it would have met if it were not over."""
        looked_ahead = report.look in ("dates", "full")  # these meet every document that is dated in the future
        self._note("future", "date.in_the_future", report.future, over=looked_ahead)
        self._note("doubled", "id.doubled", report.doubled, over=report.look in WHOLE)
        self._note("unreadable", "row.unreadable", report.unreadable, over=report.look in WHOLE)
        self._note("short", "page.short", [report.look] if report.short else [], over=report.look in WHOLE)

    def _note(self, kind: str, event: str, found: Sequence[str], *, over: bool) -> None:
        cause, stands = f"{kind} {self.form}", self._stands.get(kind)
        if found and not stands:
            log.warning(event, form=self.form, found=found[:NAMED])
            self.notices.mention(cause, kind, form=self.form, numbers=listed(found))
            self._stands[kind] = True
        elif over and not found and stands is not False:
            self.notices.forget(cause)
            self._stands[kind] = False
