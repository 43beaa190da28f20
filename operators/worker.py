"""What every Python worker needs before it does anything else."""

import builtins
import gc


def restore_print() -> None:
    """Undo PyFlink's replacement of `print` in its workers, with which numba cannot be imported."""
    owner = getattr(builtins.print, "__self__", None)
    if hasattr(owner, "_print"):
        builtins.print = owner._print


def keep_for_good() -> None:
    """Take what was imported and opened out of garbage collection, which else walks through all of it again and again.

    The last step of an `open`.
    """
    gc.collect()
    gc.freeze()
