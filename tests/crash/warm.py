"""What the process that forks daemons has loaded: all of kdsync, set aside so that no fork goes through it again."""

import gc
import importlib

importlib.import_module("tests.crash.hasty_daemon")
for late in ("alembic.command", "alembic.config"):
    importlib.import_module(late)
gc.collect()
gc.freeze()
