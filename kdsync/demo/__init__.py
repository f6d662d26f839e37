"""A small company that works in the simulated Kingdee, with the real daemon watching: `kdsync demo` and `simulate`."""
