"""Tests on the real stack, and what they share: an `assert` there says what was compared, as in the tests."""

from pathlib import Path

import pytest

_SHARED = [
    file.stem for file in Path(__file__).parent.glob("*.py") if file.stem not in ("__init__", "conftest")
]
pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in _SHARED))
