"""Python's garbage collector, in processes that run for long."""

import gc


def freeze_heap() -> None:
    """Exclude existing objects from garbage collection, which would scan them again and again.

    For when all is imported and opened. What numba brings along alone stops a process for 0.2 s each time.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
