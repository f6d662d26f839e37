"""How far another system's clock is from this machine's."""

from __future__ import annotations

from collections.abc import Iterator

from kdsync.doctor.finding import OK, SKIPPED, WARNING, Finding
from kdsync.kingdee.client import KingdeeClient
from kdsync.server_clock import ServerClock

SKEW = 60.0
"""Seconds; beyond that signatures are only right because kdsync corrects them."""


def clock_finding(what: str, theirs: ServerClock) -> Finding:
    """What the answers so far told."""
    error = theirs.error()
    if error is None:
        return Finding(what, SKIPPED, "no answer to read the time from")
    detail = f"{round(theirs.offset()):+d} s against this machine, give or take {max(error, 0.1):.1f} s"
    if abs(theirs.offset()) <= SKEW:
        return Finding(what, OK, detail)
    cure = "set the clock that is wrong by NTP: timedatectl shows this machine's"
    return Finding(what, WARNING, f"{detail}; signatures are corrected for it", cure)


def zone_findings(what: str, client: KingdeeClient) -> Iterator[Finding]:
    """Whether Kingdee's dates are read in its own zone, where a login tells that; signed headers have none."""
    session, zone = client.log_in(), client.settings.timezone
    if session.utc_offset is None:
        return
    if another := session.another_zone(zone, client.server_clock.now()):
        yield Finding(what, WARNING, another, "write the zone of the Kingdee server into kingdee.timezone")
    else:
        yield Finding(what, OK, f"dates are of {zone}")
