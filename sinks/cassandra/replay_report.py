"""Progress report of a replay."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from cassandra.cluster import Session

from schemas.tables import ROLLED, Resolution
from sinks.cassandra.marks import MarkStore
from sinks.cassandra.rebuild import Outcome, Rebuilder
from streamgauge.config import Config
from streamgauge.store.progress import ProgressStore
from streamgauge.times import now_ms

EVERY_S = 5.0
PATIENCE_S = 60.0

Part = tuple[int, int, int, bool]
"""Lane, minute (ms), number of samples, and whether they change it."""
Say = Callable[[str], None]


def follow(parts: Iterable[Part], messages: int, say: Say) -> dict[tuple[int, int], bool]:
    """Report the progress of reading; returns for each lane and minute whether it changes."""
    say(f"reading {messages:,} messages")
    samples, newest, told = 0, 0, time.monotonic()
    changed: dict[tuple[int, int], bool] = {}
    for lane, minute, count, changes in parts:
        samples += count
        changed[lane, minute] = changed.get((lane, minute), False) or changes
        newest = max(newest, minute)
        if time.monotonic() - told > EVERY_S:
            told = time.monotonic()
            say(f"read so far: {samples:,} samples, up to {_text(newest)}")
    say(f"read: {samples:,} samples of {len({minute for _, minute in changed}):,} minutes")
    return changed


def wait_for_rebuilds(
    session: Session, lanes: int, origin: str, say: Say
) -> Counter[tuple[Resolution, Outcome]]:
    """Wait until the live job has built all marked buckets; returns the outcomes."""
    marks = MarkStore(session)
    told, moved, before = 0.0, time.monotonic(), -1
    while True:
        outcomes: Counter[tuple[Resolution, Outcome | None]] = Counter()
        for lane in range(lanes):
            outcomes.update(marks.outcomes(lane, origin))
        waiting = sum(count for (_, outcome), count in outcomes.items() if outcome is None)
        done = outcomes.total() - waiting
        if not waiting:
            return Counter({(level, outcome): n for (level, outcome), n in outcomes.items() if outcome})
        if done != before:
            before, moved = done, time.monotonic()
        if time.monotonic() - told > EVERY_S:
            told = time.monotonic()
            say(f"the rollup job has built {done:,} of {outcomes.total():,} buckets")
        if time.monotonic() - moved > PATIENCE_S:
            moved = time.monotonic()
            say(
                "no progress: are the rollup job and a collector running? The marks stay in the store until then."
            )
        time.sleep(1.0)


def would_change(
    session: Session, config: Config, minutes: dict[tuple[int, int], bool]
) -> Counter[tuple[Resolution, Outcome]]:
    """Predict the result of `wait_for_rebuilds` for closed buckets.

    :param minutes: for each lane and minute (ms) that was read, whether it changes.
    """
    rebuilder = Rebuilder(session, config.shards, config.storage_classes, now_ms)
    progress = ProgressStore(session)
    found: Counter[tuple[Resolution, Outcome]] = Counter()
    below = {place: Outcome.CHANGED if changes else Outcome.UNCHANGED for place, changes in minutes.items()}
    found.update((Resolution.MIN1, outcome) for outcome in below.values())
    for level in ROLLED[1:]:
        width, sealed_to = level.value.width_ms, progress.read(level)
        above: dict[tuple[int, int], Outcome] = {}
        for (lane, start), outcome in below.items():
            place = lane, start - start % width
            if place[1] + width > sealed_to.get(lane, 0):
                continue
            if outcome is Outcome.CHANGED:
                above[place] = outcome
            elif place not in above:
                above[place] = rebuilder.rebuild(level, *place, write=False)
        found.update((level, outcome) for outcome in above.values())
        below = above
    return found


def table(outcomes: Counter[tuple[Resolution, Outcome]]) -> list[str]:
    """Lines of a table: a row a resolution, a column an outcome, in buckets of lanes."""
    shown = [outcome for outcome in Outcome if any(outcome is seen for _, seen in outcomes)]
    head = f"{'buckets':>8}" + "".join(f"{outcome.value:>12}" for outcome in shown)
    rows = [
        f"{level.value.label:>8}" + "".join(f"{outcomes[level, outcome]:>12,}" for outcome in shown)
        for level in ROLLED
        if any(level is seen for seen, _ in outcomes)
    ]
    return [head, *rows]


def incomplete(missing: Sequence[str]) -> list[str]:
    """Describe the parts of a range that Kafka no longer holds; empty if it holds all."""
    if not missing:
        return []
    return [
        "incomplete: Kafka keeps messages for kafka.retention_hours, and lacks a part of the range",
        *missing,
    ]


def _text(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")
