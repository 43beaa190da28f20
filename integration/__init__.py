"""Tests on the real stack. Each `assert` of their helpers says what was compared, as in the tests."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.support")
