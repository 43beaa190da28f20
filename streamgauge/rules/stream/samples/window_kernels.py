"""Kernels of the window: a table of series ids by open addressing, and samples of many series in one pool.

The series of slot i has its samples in pool[firsts[i] : lasts[i]], within its block [begins[i], begins[i] + sizes[i]),
in the order of their timestamps. Each kernel checks the rows that it comes to, as there are many more slots than rows.
"""

from streamgauge.compiled import njit
from streamgauge.series.hash_kernels import slot_of_id
from streamgauge.series.samples import wins
from streamgauge.series.sized import NUMBER, InconsistentSizes, sized

FREE = -1
"""In the table: no id. As an answer: an id that is not there."""
IGNORED = -2
"""An id that is known, and not kept."""


def _has_a_power_of_two_of_places(table):  # type: ignore[no-untyped-def]
    return len(table).bit_count() == 1


@sized(
    _has_a_power_of_two_of_places, table="places", keys="places, 2", ids="rows, 2", out="rows", factor=NUMBER
)
@njit(cache=True, nogil=True)
def find(table, keys, ids, out, factor):  # type: ignore[no-untyped-def]
    """The entry of each id (n, 2), or FREE. `table` has a power of two of places, some of them free.

    factor: `hash_kernels.FACTOR`, the same for all calls about a table.
    """
    mask = len(table) - 1
    for row in range(len(ids)):
        place = slot_of_id(ids[row, 0], ids[row, 1], factor, len(table))
        out[row] = FREE
        while table[place] != FREE:
            if keys[place, 0] == ids[row, 0] and keys[place, 1] == ids[row, 1]:
                out[row] = table[place]
                break
            place = (place + 1) & mask


@sized(
    _has_a_power_of_two_of_places,
    table="places",
    keys="places, 2",
    ids="rows, 2",
    entries="rows",
    factor=NUMBER,
)
@njit(cache=True, nogil=True)
def put(table, keys, ids, entries, factor):  # type: ignore[no-untyped-def]
    """Enter ids, over what was there for them. factor: as in `find`."""
    mask = len(table) - 1
    for row in range(len(ids)):
        place = slot_of_id(ids[row, 0], ids[row, 1], factor, len(table))
        while table[place] != FREE and not (keys[place, 0] == ids[row, 0] and keys[place, 1] == ids[row, 1]):
            place = (place + 1) & mask
        table[place] = entries[row]
        keys[place, 0], keys[place, 1] = ids[row, 0], ids[row, 1]


@sized(
    slots="rows",
    offsets="rows + 1",
    times="samples",
    values="samples",
    oldest="slots",
    begins="slots",
    sizes="slots",
    firsts="slots",
    lasts="slots",
    pool_times="pool",
    pool_bits="pool",
    done="2",
)
@njit(cache=True, nogil=True)
def append(slots, offsets, times, values, oldest, begins, sizes, firsts, lasts, pool_times, pool_bits, done):  # type: ignore[no-untyped-def]
    """Put the samples of the rows from done[0] on, done[1] of whose first one are in, into their slots.

    Samples before oldest[slot] are left out. Returns the slot whose block is full, `done` then telling where to go
    on, or FREE at the end.
    """
    if done[0] < 0 or done[1] < 0:
        raise InconsistentSizes("append: goes on before the first row or sample")
    for row in range(done[0], len(slots)):
        slot = slots[row]
        start = offsets[row] + done[1]
        done[1] = 0
        if slot < 0:
            continue
        if slot >= len(firsts) or start < 0 or offsets[row + 1] > len(times):
            raise InconsistentSizes("append: a slot or samples that are not there")
        if (
            not 0
            <= begins[slot]
            <= firsts[slot]
            <= lasts[slot]
            <= begins[slot] + sizes[slot]
            <= len(pool_times)
        ):
            raise InconsistentSizes("append: a block outside of the pool")
        for sample in range(start, offsets[row + 1]):
            time, value = times[sample], values[sample]
            if time < oldest[slot]:
                continue
            last = lasts[slot]
            place = last
            while place > firsts[slot] and pool_times[place - 1] > time:
                place -= 1
            if place > firsts[slot] and pool_times[place - 1] == time:
                if wins(value, pool_bits[place - 1]):
                    pool_bits[place - 1] = value
                continue
            if last == begins[slot] + sizes[slot]:
                done[0], done[1] = row, sample - offsets[row]
                return slot
            for moved in range(last, place, -1):
                pool_times[moved] = pool_times[moved - 1]
                pool_bits[moved] = pool_bits[moved - 1]
            pool_times[place], pool_bits[place] = time, value
            lasts[slot] = last + 1
    return FREE


@sized(oldest="slots", firsts="slots", lasts="slots", pool_times="pool")
@njit(cache=True, nogil=True)
def drop_before(oldest, firsts, lasts, pool_times):  # type: ignore[no-untyped-def]
    """Forget the samples of each slot before its oldest time."""
    for slot in range(len(firsts)):
        if firsts[slot] < 0 or lasts[slot] > len(pool_times):
            raise InconsistentSizes("drop_before: a block outside of the pool")
        while firsts[slot] < lasts[slot] and pool_times[firsts[slot]] < oldest[slot]:
            firsts[slot] += 1


@sized(
    slots="rows",
    start=NUMBER,
    end=NUMBER,
    firsts="slots",
    lasts="slots",
    pool_times="pool",
    out_begins="rows",
    out_offsets="rows + 1",
)
@njit(cache=True, nogil=True)
def bounds(slots, start, end, firsts, lasts, pool_times, out_begins, out_offsets):  # type: ignore[no-untyped-def]
    """Where the samples from `start` to `end` of each slot begin; out_offsets (n + 1,) how many there are so far."""
    out_offsets[0] = 0
    for row in range(len(slots)):
        slot = slots[row]
        if not 0 <= slot < len(firsts):
            raise InconsistentSizes("bounds: a slot that is not there")
        low, high = firsts[slot], lasts[slot]
        if not 0 <= low <= high <= len(pool_times):
            raise InconsistentSizes("bounds: a block outside of the pool")
        # most windows start near the first sample that is kept or end near the last
        last = high
        while last > low and pool_times[last - 1] > end:
            last -= 1
        high = last
        while low < high:
            middle = (low + high) // 2
            if pool_times[middle] < start:
                low = middle + 1
            else:
                high = middle
        out_begins[row] = low
        out_offsets[row + 1] = out_offsets[row] + last - low


@sized(
    begins="rows", offsets="rows + 1", pool_times="pool", pool_bits="pool", times="samples", bits="samples"
)
@njit(cache=True, nogil=True)
def copy(begins, offsets, pool_times, pool_bits, times, bits):  # type: ignore[no-untyped-def]
    """Copy the samples that `bounds` has found, one series after the other."""
    for row in range(len(begins)):
        begin, at = begins[row], offsets[row]
        count = offsets[row + 1] - at
        if at < 0 or at + count > len(times) or begin < 0 or begin + count > len(pool_times):
            raise InconsistentSizes("copy: samples outside of the pool, or more than there is room for")
        for sample in range(count):
            times[at + sample] = pool_times[begin + sample]
            bits[at + sample] = pool_bits[begin + sample]
