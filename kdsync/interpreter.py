"""How this process's Python is set up to work on pages of documents."""

from __future__ import annotations

import gc
import sys

SELDOM = 50_000  # new containers between two rounds of the collector of cycles; a page of documents makes ten thousand
TURN = 0.0005  # seconds until a thread that works lets another one that wants to


def tune_interpreter() -> None:
    """Set this process up for pages of documents.

    They are many lists that hold no cycles: looking for some took a third of the time of a first look. And a thread
    that waits for Kingdee gets its turn sooner beside one that works on documents.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(SELDOM, 10, 10)
    sys.setswitchinterval(TURN)
