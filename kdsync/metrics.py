"""Everything that kdsync counts, as one table, and how Prometheus gets to see it."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "looks": ("Looks at a form that ended well.", ("form", "look")),
    "look_failures": ("Looks at a form that failed.", ("form", "kind")),
    "events": ("Changes noticed.", ("form",)),
    "missed_changes": ("Changes that only the look at all keys found. This is 0.", ("form",)),
    "notifications_accepted": ("Recipients whose message DingTalk accepted.", ()),
    "notifications_dead": ("Recipients whose message was given up.", ()),
    "own_changes": ("Messages that were not sent because kdsync made the change itself.", ("form", "rule")),
    "storms": ("Messages that stand for more of a rule than its `storm` allows.", ("form", "rule")),
    "send_failures": ("Calls to DingTalk that failed.", ("kind",)),
    "kingdee_calls": ("Requests to Kingdee.", ("service",)),
    "dingtalk_calls": ("Requests to DingTalk.", ("api", "metered")),
    "received": ("What people said in DingTalk; new: no is the same thing pushed again.", ("source", "new")),
    "answers": ("What people said and what became of it.", ("outcome",)),
    "intakes": ("Approvals of DingTalk and what became of them in Kingdee.", ("outcome",)),
    "card_updates": ("Cards that were changed once it was decided what they ask for.", ()),
    "loop_failures": ("Errors of kdsync's own in its loops: please report them.", ("loop",)),
}
GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "breaker_open": ("1 while nothing but a probe is let through.", ("system",)),
    "lag_seconds": ("Seconds since the last look at a form that ended well, or since there was to be one.", ("form",)),
    "outbox": ("Rows of the outbox.", ("state",)),
    "held_notifications": ("Messages that wait for an operator to release them.", ()),
    "tasks_waiting": ("Workflow tasks that wait for somebody.", ("form",)),
    "clock_offset_seconds": ("The other side's clock less this machine's.", ("system",)),
    "clock_offset_error_seconds": ("Seconds that the offset may be wrong by.", ("system",)),
    "quota_calls": ("Metered DingTalk calls of this month.", ()),
    "quota_limit": ("What the organisation's plan allows a month.", ()),
    "stream_connected": ("1 while DingTalk can push what people say.", ()),
    "reload_success": ("1 if the last reload was taken over.", ()),
}
HISTOGRAMS = {"delivery_seconds": "Seconds from noticing a change to DingTalk's acceptance."}
BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 300, 1800, 7200, 86400)


class Metrics:
    """A registry of its own, so that tests and a demo can have several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters = {n: Counter(f"kdsync_{n}", h, ls, registry=self.registry) for n, (h, ls) in COUNTERS.items()}
        self._gauges = {n: Gauge(f"kdsync_{n}", h, ls, registry=self.registry) for n, (h, ls) in GAUGES.items()}
        self._shown: dict[str, set[str]] = {}  # values of the label of a gauge
        self._histograms = {
            n: Histogram(f"kdsync_{n}", h, buckets=BUCKETS, registry=self.registry) for n, h in HISTOGRAMS.items()
        }

    def count(self, name: str, amount: float = 1, labels: Mapping[str, str] | None = None) -> None:
        """Add to a counter."""
        counter = self._counters[name]
        (counter.labels(**labels) if labels else counter).inc(amount)

    def gauge(self, name: str, value: float, labels: Mapping[str, str] | None = None) -> None:
        """Set a gauge."""
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def gauges(self, name: str, label: str, values: Mapping[str, float]) -> None:
        """Set a gauge for each value of its label, and forget those that are not among them."""
        for gone in self._shown.get(name, set()) - set(values):
            self._gauges[name].remove(gone)
        self._shown[name] = set(values)
        for about, value in values.items():
            self.gauge(name, value, {label: about})

    def observe(self, name: str, value: float) -> None:
        """Add to a histogram."""
        self._histograms[name].observe(value)

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry)
