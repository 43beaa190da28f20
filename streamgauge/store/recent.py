"""What was used most recently, within a bound in bytes: of what is read from the store, and of what follows from it."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
ENTRY_BYTES = 250
"""Of an entry, beside its key and value."""


class Recent(Generic[Key, Value]):
    """Values by key, each with its size in bytes; the least recently used are dropped where all together pass `most`.

    What is larger than that alone is not kept. May be used from many threads.
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
        """Bytes of all."""
        return self._size

    def get(self, key: Key) -> Value | None:
        """The value of a key, which is used now."""
        return self.get_all([key]).get(key)

    def get_all(self, keys: Iterable[Key]) -> dict[Key, Value]:
        """The values of those keys that have one; they are used now."""
        found = {}
        with self._lock:
            for key in keys:
                if (entry := self._entries.get(key)) is not None:
                    self._entries.move_to_end(key)
                    found[key] = entry[0]
        return found

    def put(self, key: Key, value: Value, size: int) -> None:
        """Keep a value in place of the one before. size: bytes, those of the key and of the entry among them."""
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
    """About what a key of texts, numbers and tuples takes."""
    if isinstance(part, tuple):
        return 64 + sum(8 + bytes_of(each) for each in part)
    if isinstance(part, str):
        # a character takes up to four
        return 64 + (len(part) if part.isascii() else 4 * len(part))
    return 64 + len(part) if isinstance(part, bytes) else 32
