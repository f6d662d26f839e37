"""Whatever the services count is there to be read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import kdsync
from kdsync.metrics import COUNTERS, GAUGES, HISTOGRAMS, Metrics

KNOWN: dict[str, set[str]] = {"count": {*COUNTERS}, "gauge": {*GAUGES}, "gauges": {*GAUGES}, "observe": {*HISTOGRAMS}}


def counted() -> Iterator[tuple[str, str, str]]:
    """Module, what is done, and the name of what is counted, as the source spells them."""
    for path in sorted(Path(kdsync.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in KNOWN:
                of_meter = ast.unparse(node.func.value).endswith("meter")
                if of_meter and node.args and isinstance(node.args[0], ast.Constant):
                    yield path.name, node.func.attr, str(node.args[0].value)


def test_what_is_counted_is_known() -> None:
    found = list(counted())
    assert len(found) > 20
    assert [one for one in found if one[2] not in KNOWN[one[1]]] == []


def test_what_is_known_is_counted_somewhere() -> None:
    names = {name for _, _, name in counted()}
    assert {*COUNTERS, *GAUGES, *HISTOGRAMS} - names == set()


def test_every_name_can_be_read() -> None:
    text = Metrics().text().decode()
    assert all(f"kdsync_{name}" in text for name in COUNTERS)


def test_what_is_no_longer_measured_is_no_longer_shown() -> None:
    meter = Metrics()
    for lags in ({"AP_PAYBILL": 3000.0, "AP_Payable": 1.0}, {"AP_Payable": 2.0}):
        meter.gauges("lag_seconds", "form", lags)
    shown = [line for line in meter.text().decode().splitlines() if line.startswith("kdsync_lag_seconds")]
    assert shown == ['kdsync_lag_seconds{form="AP_Payable"} 2.0']
