"""Which processor cores a process of many threads runs on: one."""

import os
from contextlib import suppress


def keep_to_one_core(number: int) -> None:
    """From now on this thread, and those that it starts, run on one of the cores that it may run on: the `number`-th,
    counted round.

    Threads of one Python process take turns. Where each turn may be on another core, what one has read into its caches
    is of no use to the next (docs/decisions/0018). Does nothing where the system cannot.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        # Some sandboxes forbid it.
        with suppress(PermissionError):
            os.sched_setaffinity(0, {cores[number % len(cores)]})
