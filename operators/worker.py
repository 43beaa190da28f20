"""What every Python worker needs before it does anything else."""

import builtins


def restore_print() -> None:
    """Undo PyFlink's replacement of `print` in its workers, with which numba cannot be imported."""
    owner = getattr(builtins.print, "__self__", None)
    if hasattr(owner, "_print"):
        builtins.print = owner._print
