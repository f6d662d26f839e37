"""`python -m kdsync` is `kdsync`, wherever the console script was put."""

from kdsync.cli.main import main

main()
