"""The project's LRU cache, bounded by the sum of its entries' sizes.

cachetools has one too; a hit there takes ten times as long, and a query over many series looks up the labels of each.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
ENTRY_BYTES = 250
"""What an entry takes beside its key and value."""


class LruCache(Generic[Key, Value]):
    """Maps keys to values of given sizes; evicts the least recently used while the sizes add up to more than `most`.

    A value larger than `most` is not kept. Sizes are bytes, or 1 each to bound the count. Thread-safe.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Sum of the sizes of all entries."""
        return self._size

    def get(self, key: Key) -> Value | None:
        """Return the value of a key and mark it as used, or None."""
        return self.get_all([key]).get(key)

    def get_all(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """Return the values of those keys that have one, and mark them as used."""
        found = {}
        with self._lock:
            for key in keys:
                if (entry := self._entries.get(key)) is not None:
                    self._entries.move_to_end(key)
                    found[key] = entry[0]
        return found

    def put(self, key: Key, value: Value, size: int) -> None:
        """Store a value, replacing the previous one. size: a size in bytes includes the key's and ENTRY_BYTES."""
        with self._lock:
            _, before = self._entries.pop(key, (None, 0))
            self._size -= before
            if size > self._most:
                return
            self._entries[key] = value, size
            self._size += size
            while self._size > self._most:
                _, (_, dropped) = self._entries.popitem(last=False)
                self._size -= dropped


def bytes_of(part: Any) -> int:
    """Estimate the memory in bytes of a key of texts, numbers and tuples."""
    if isinstance(part, tuple):
        return 64 + sum(8 + bytes_of(each) for each in part)
    if isinstance(part, str):
        # a character takes up to four
        return 64 + (len(part) if part.isascii() else 4 * len(part))
    return 64 + len(part) if isinstance(part, bytes) else 32
