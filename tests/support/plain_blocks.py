"""A plain decoder of blocks and columns, written from the description of their bytes and from nothing else."""

import struct

STALE_BITS = 0x7FF0000000000002


class Bytes:
    """A blob that is read from front to back."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        self.at += size
        assert self.at <= len(self.data)
        return self.data[self.at - size : self.at]

    def integer(self, size):
        return int.from_bytes(self.take(size), "little")

    def varint(self):
        byte = self.integer(1)
        return byte & 0x7F | (self.varint() << 7 if byte & 0x80 else 0)

    def planes(self, lengths):
        """Numbers of these lengths (bytes) whose bytes lie in planes."""
        numbers = [0] * len(lengths)
        for level in range(8):
            for row, length in enumerate(lengths):
                if length > level:
                    numbers[row] |= self.integer(1) << 8 * level
        return numbers

    def is_read(self):
        return self.at == len(self.data)


def unzigzag(number):
    return number >> 1 if number % 2 == 0 else -(number >> 1) - 1


def double(mantissa, exponent):
    return struct.unpack("<Q", struct.pack("<d", mantissa / 10**exponent))[0]


def reversed_bytes(number):
    return int.from_bytes(number.to_bytes(8, "little"), "big")


def ids(blob):
    data = Bytes(blob)
    names = data.varint()
    hashes = [data.integer(4) for _ in range(names)]
    counts = [data.varint() for _ in range(names)]
    high = [name for name, count in zip(hashes, counts, strict=True) for _ in range(count)]
    labels = [data.integer(4) for _ in high]
    rests = [data.integer(8) for _ in high]
    assert data.is_read()
    return [(name << 32 | label, rest) for name, label, rest in zip(high, labels, rests, strict=True)]


def times(blob, series, window_start):
    """The list of timestamps of each series."""
    data = Bytes(blob)
    width = data.integer(1)
    number = data.varint()
    codes = [data.integer(width) if width else min(row, 1) for row in range(series)]
    lists = []
    for _ in range(number):
        own, step = [], 0
        for place in range(data.varint()):
            raw = data.varint()
            step = raw if place < 2 else step + unzigzag(raw)
            own.append((own[-1] if own else window_start) + step)
        lists.append(own)
    assert data.is_read()
    new = iter(range(number))
    return [lists[code - 1 if code else next(new)] for code in codes]


def values(blob, counts):
    """The bits of the values of each series."""
    data = Bytes(blob)
    kinds = [data.integer(1) for _ in counts]
    forms = [kind & 7 for kind in kinds]
    scales = [data.integer(1) for _ in counts]
    widths = [data.integer(1) if form > 1 else 0 for form in forms]
    still = data.planes([kind >> 4 if form <= 1 else 0 for kind, form in zip(kinds, forms, strict=True)])
    others = data.planes([kind >> 4 if form > 1 else 0 for kind, form in zip(kinds, forms, strict=True)])
    found = []
    for row, form in enumerate(forms):
        stale = kinds[row] >> 3 & 1
        found.append(
            _series(data, form, scales[row], widths[row], still[row] | others[row], counts[row] - stale)
        )
        found[-1] += [STALE_BITS] * stale
    assert data.is_read()
    return found


def _series(data, form, scale, width, first, count):
    constant, exact, rising, zigzag, level, xor = range(6)
    if form == constant:
        return [double(unzigzag(first), scale)] * count
    if form == exact:
        return [reversed_bytes(first)] * count
    size = count if form == level else count - 1
    packed = data.integer((size * width + 7) // 8)
    numbers = [packed >> place * width & (1 << width) - 1 for place in range(size)]
    if form == level:
        return [double(unzigzag(first) + number, scale) for number in numbers]
    if form == xor:
        bits = [reversed_bytes(first)]
        for number in numbers:
            bits.append(bits[-1] ^ number << scale)
        return bits
    mantissas = [unzigzag(first)]
    for number in numbers:
        mantissas.append(mantissas[-1] + (unzigzag(number) if form == zigzag else number))
    assert form in (rising, zigzag)
    return [double(mantissa, scale) for mantissa in mantissas]


def column(blob, series):
    """The bits of the doubles of a rollup column."""
    data = Bytes(blob)
    form = data.integer(1)
    if form == 0:
        bits = [data.integer(8)] * series
    elif form == 1:
        entries = [data.integer(8) for _ in range(data.integer(1) + 1)]
        bits = [entries[data.integer(1)] for _ in range(series)]
    elif form == 2:
        kinds = [data.integer(1) for _ in range(series)]
        numbers = data.planes([kind % 9 for kind in kinds])
        bits = [
            reversed_bytes(number) if kind // 9 == 23 else double(unzigzag(number), kind // 9)
            for kind, number in zip(kinds, numbers, strict=True)
        ]
    else:
        bits = data.planes([8] * series)
    assert data.is_read()
    return bits
