"""How much of what is known of alerts goes into one transaction."""

from hypothesis import given
from hypothesis import strategies as st

from streamgauge.topics import notified as module
from streamgauge.topics.notified import transactions


@given(st.dictionaries(st.text(max_size=3), st.none() | st.binary(max_size=60), max_size=30))
def test_all_is_written_in_its_order_and_no_transaction_goes_on_beyond_its_bytes(values):
    module_bytes, module.TRANSACTION_BYTES = module.TRANSACTION_BYTES, 100
    try:
        parts = list(transactions(values))
    finally:
        module.TRANSACTION_BYTES = module_bytes
    assert [pair for part in parts for pair in part.items()] == list(values.items())
    for part in parts:
        *others, _ = part.items()
        assert sum(len(key) + len(value or b"") for key, value in others) < 100
