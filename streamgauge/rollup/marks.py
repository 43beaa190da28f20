"""A bucket that is closed and has to be built again."""

from dataclasses import dataclass, field

from schemas.tables import Resolution


@dataclass(frozen=True, slots=True)
class Mark:
    """A bucket of a lane that waits.

    complete: what it is built from need not be older than the mark, for a replay has written all of it anew.
    origin: the replay that asks for it, or empty. written_us: its write time where it was read from the store.
    """

    level: Resolution
    window_start: int
    complete: bool = False
    origin: str = ""
    written_us: int = field(default=0, compare=False)
