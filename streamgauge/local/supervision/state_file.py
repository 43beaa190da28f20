"""The state published by the supervisor: a JSON document in a file that is writable even on a full disk."""

import errno
import json
import time
from pathlib import Path
from typing import Any

BLOCK_BYTES = 4096
ATTEMPTS = 20
PAUSE_S = 0.05


class StateFile:
    """One writer, any number of readers. The file has room at its end, so that it can be overwritten in place."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Any]:
        """The document; empty if there is none yet."""
        for _ in range(ATTEMPTS):
            try:
                return self._read()
            except ValueError:
                # it is being overwritten in place
                time.sleep(PAUSE_S)
        return self._read()

    def replace(self, document: dict[str, Any]) -> None:
        """Write the document at once or not at all.

        :raises OSError: if the disk takes nothing.
        """
        text = json.dumps(document, indent=1).encode()
        unfinished = self._path.with_suffix(".new")
        unfinished.write_bytes(text.ljust((len(text) // BLOCK_BYTES + 2) * BLOCK_BYTES))
        unfinished.replace(self._path)

    def overwrite(self, document: dict[str, Any]) -> None:
        """Write the document over the last one, which needs no more room on the disk.

        :raises OSError: if there is none, it is too short, or the disk fails.
        """
        text = json.dumps(document, separators=(",", ":")).encode()
        with self._path.open("r+b", buffering=0) as file:
            size = self._path.stat().st_size
            if len(text) > size:
                raise OSError(errno.ENOSPC, f"the state exceeds its {size} bytes")
            file.write(text.ljust(size))

    def _read(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        return found
