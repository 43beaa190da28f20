"""Python's garbage collector, in processes that run for long."""

import gc


def keep_for_good() -> None:
    """Take what is there out of garbage collection, which else walks through all of it again and again.

    For when all is imported and opened. What numba brings along alone stops a process for 0.2 s each time.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
