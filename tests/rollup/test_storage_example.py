"""The example in docs/design/storage-format.md equals the stored bytes."""

from pathlib import Path

import numpy as np
import pytest

from schemas.blocks import codec, columns
from streamgauge.series import ids, labels
from streamgauge.series.samples import Samples

START = 1_763_892_000_000
SERIES = {
    "node_load1": [0.25, 0.3, 0.28, 0.28, 0.31, 0.27],
    "up": [1.0] * 6,
    "node_context_switches_total": [5000.0, 5120.0, 5230.0, 5355.0, 5470.0, 5600.0],
}


@pytest.fixture
def page():
    text = (Path(__file__).parents[2] / "docs" / "design" / "storage-format.md").read_text()
    return text, "".join(line for line in text.splitlines() if line.startswith("    ")).replace(" ", "")


def test_the_example_in_the_docs_is_what_is_stored(page):
    text, hexadecimal = page
    packed = [ids.series_id(labels.canonical({"__name__": name, "job": "node"})) for name in SERIES]
    times = START + 660 + 10_000 * np.tile(np.arange(6), 3)
    values = np.array([*SERIES.values()])
    samples = Samples(ids.from_bytes(b"".join(packed)), np.arange(0, 19, 6), times, values.reshape(-1))
    block = codec.encode_raw(samples, START)
    blobs = [block.ids, block.timestamps, block.samples, columns.encode_column("last", values[:, -1])]
    assert hexadecimal == "".join(blob.hex() for blob in blobs)
    for identity in packed:
        assert f"`{identity[:4].hex()} {identity[4:8].hex()} {identity[8:].hex()}`" in text
