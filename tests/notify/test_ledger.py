"""The state machine of the bridge: which change goes to whom, whatever comes twice, late or again."""

import pytest

from schemas.limits import MAX_MESSAGE_BYTES
from schemas.notified_messages import decode, encode, key_of
from streamgauge.notify import entry as entry_module
from streamgauge.notify import ledger as module
from streamgauge.notify.ledger import GAP_MS, Ledger, Verdict
from streamgauge.rules.machine.alerts import RESOLVED_RETENTION_MS
from tests.notify.changes import change

RESEND_MS = 60_000
MEMORY_MS = 24 * 3_600_000
A, B = "http://a", "http://b"


def ledger(*receivers):
    return Ledger(receivers or (A,), RESEND_MS, MEMORY_MS)


def taken(own, *changes, now=0):
    verdicts = [own.apply(0, each) for each in changes]
    own.commit(own.take_dirty(), now)
    return verdicts


def sent(own, now, receiver=A, most=64):
    """The ids that a receiver gets now."""
    deliveries = own.take(receiver, now, most)
    own.accepted(receiver, deliveries, now)
    return [each.change.id for each in deliveries]


def again(own, now=0, receivers=(A,)):
    """The ledger of the process that comes after this one."""
    written = {key: decode(encode(one.record)) for key, one in own.take_dirty().items() if one.record}
    following = ledger(*receivers)
    following.load(0, written, now)
    return following


def test_pending_is_not_told_and_firing_is_at_once():
    own = ledger()
    assert taken(own, change(1000, "pending")) == [Verdict.APPLIED]
    assert sent(own, 1000) == []
    taken(own, change(2000, "firing"))
    assert sent(own, 2000) == ["a-2000-firing"]
    assert sent(own, 2000) == []


def test_nothing_is_sent_before_it_is_written():
    own = ledger()
    own.apply(0, change(1000, "firing"))
    assert sent(own, 1000) == []
    own.commit(own.take_dirty(), 1000)
    assert sent(own, 1000) == ["a-1000-firing"]


def test_a_copy_and_an_older_tick_are_nothing():
    own = ledger()
    changes = [change(1000, "firing"), change(2000, "resolved"), change(3000, "firing")]
    taken(own, *changes)
    replayed = [*changes, change(2000, "pending"), change(3000, "resolved")]
    assert taken(own, *replayed) == [
        Verdict.OLDER,
        Verdict.OLDER,
        Verdict.DUPLICATE,
        Verdict.OLDER,
        Verdict.OLDER,
    ]
    assert own.take_dirty() == {}


def test_firing_and_resolved_of_one_batch_go_in_order_and_apart():
    own = ledger()
    taken(own, change(1000, "firing"), change(2000, "resolved"))
    assert sent(own, 5000) == ["a-1000-firing"]
    assert sent(own, 5000 + GAP_MS - 1) == []
    assert sent(own, 5000 + GAP_MS) == ["a-2000-resolved"]


def test_firing_is_sent_again_after_each_resend_delay_and_resolved_for_15_minutes():
    own = ledger()
    taken(own, change(1000, "firing"))
    assert [sent(own, now) != [] for now in (1000, 60_999, 61_000, 121_000)] == [True, False, True, True]
    taken(own, change(130_000, "resolved"))
    times = range(130_000, 130_000 + 2 * RESOLVED_RETENTION_MS, RESEND_MS)
    count = sum(sent(own, now) == ["a-130000-resolved"] for now in times)
    assert count == 1 + RESOLVED_RETENTION_MS // RESEND_MS
    assert own.next_due(A) is None


def test_resolved_is_not_sent_again_once_the_alert_is_pending_again():
    own = ledger(A, B)
    taken(own, change(1000, "firing"), change(2000, "resolved"))
    assert sent(own, 2000) == ["a-1000-firing"]
    assert sent(own, 3000) == ["a-2000-resolved"]
    assert sent(own, 3000 + RESEND_MS) == ["a-2000-resolved"]
    taken(own, change(70_000, "pending"), now=70_000)
    assert sent(own, 70_000 + RESEND_MS) == []
    # who has not got the end gets it all the same
    assert [sent(own, now, B) for now in (140_000, 141_000, 300_000)] == [
        ["a-1000-firing"],
        ["a-2000-resolved"],
        [],
    ]
    following = again(own, 400_000, (A, B))
    assert sent(following, 400_000) == sent(following, 400_000, B) == []
    taken(following, change(500_000, "firing"), now=500_000)
    assert sent(following, 500_000) == ["a-500000-firing"]


def test_what_waits_is_bounded_in_bytes_and_its_ends_are_told():
    own = ledger(A, B)
    long = {"annotations": {"summary": "short", "text": "\1" * 1_000_000}}
    taken(own, change(1000, "firing", **long))
    assert sent(own, 1000) == ["a-1000-firing"]
    changes = [
        change(tick + after, state, **long)
        for tick in range(2000, 80_000, 2000)
        for after, state in ((0, "resolved"), (1000, "firing"))
    ]
    for each in changes:
        own.apply(0, each)
        records = own.take_dirty()
        [record] = [encode(one.record) for one in records.values()]
        assert len(record) < MAX_MESSAGE_BYTES
        own.commit(records, 100_000)
    got = [each for now in range(100_000, 110_000, GAP_MS) for each in own.take(B, now, 64) if not each.again]
    assert got[0].change.annotations["text"].endswith("bytes]")
    told = [each for now in range(100_000, 300_000, GAP_MS) for each in sent(own, now) if each]
    assert told[0] == "a-2000-resolved"
    assert told[-1] == changes[-1].id


def test_what_is_sent_at_once_is_bounded_in_bytes():
    own = ledger()
    taken(own, *(change(1000, "firing", str(at), annotations={"text": "x" * 50_000}) for at in range(64)))
    assert [len(own.take(A, 1000, 64)) for _ in range(4)] == [20, 20, 20, 4]


def test_an_error_of_the_rule_changes_no_alert():
    own = ledger()
    taken(own, change(1000, "firing"))
    sent(own, 1000)
    assert taken(own, change(2000, "error", labels={})) == [Verdict.APPLIED]
    assert taken(own, change(2000, "error", labels={})) == [Verdict.DUPLICATE]
    assert sent(own, 61_000) == ["a-1000-firing"]
    assert own.count_firing() == 1


def test_firing_back_to_pending_resolves():
    own = ledger()
    taken(own, change(1000, "firing"), now=1000)
    sent(own, 1000)
    taken(own, change(5000, "pending", before="firing"))
    [delivery] = own.take(A, 5000, 64)
    assert (delivery.change.after, delivery.change.ends_at) == ("resolved", 5000)
    assert delivery.change.starts_at == 1000


def test_what_goes_on_to_fire_is_sent_with_its_new_annotations_when_it_is_sent_again():
    own = ledger()
    taken(own, change(1000, "firing"))
    sent(own, 1000)
    worse = {"summary": "worse"}
    taken(own, change(9000, "firing", before="firing", starts_at=1000, annotations=worse), now=9000)
    assert own.take(A, 9000, 64) == []
    [delivery] = own.take(A, 61_000, 64)
    assert (delivery.again, delivery.change.annotations) == (True, worse)


def test_receivers_do_not_wait_for_each_other():
    own = ledger(A, B)
    taken(own, change(1000, "firing"))
    down = own.take(B, 1000, 64)
    assert sent(own, 1000) == ["a-1000-firing"]
    own.failed(B, down, 1000)
    taken(own, change(2000, "resolved"), now=2000)
    assert sent(own, 1000 + GAP_MS) == ["a-2000-resolved"]
    assert sent(own, 3000, B) == ["a-1000-firing"]
    assert sent(own, 3000 + GAP_MS, B) == ["a-2000-resolved"]


def test_of_very_many_changes_what_a_receiver_does_not_know_is_left_out_in_pairs(monkeypatch):
    monkeypatch.setattr(entry_module, "MOST_CHANGES", 4)
    own = ledger()
    taken(own, change(1000, "firing"))
    assert sent(own, 1000) == ["a-1000-firing"]
    ticks = range(2000, 20_001, 2000)
    taken(own, *(change(t + k, s) for t in ticks for k, s in ((0, "resolved"), (1000, "firing"))))
    got, now = [], 30_000
    while found := sent(own, now):
        got += found
        now += GAP_MS
    # the end of what it knows, the newest, and between them each time whole
    assert got[0] == "a-2000-resolved"
    assert got[-1] == "a-21000-firing"
    assert [one.rsplit("-")[-1] for one in got] == ["resolved", "firing"] * (len(got) // 2)
    assert len(got) <= 4


def test_who_goes_on_sends_what_waits_and_at_once_again_what_fires():
    own = ledger()
    taken(own, change(1000, "firing", "a"), change(1000, "firing", "b"), change(2000, "resolved", "b"))
    own.accepted(A, own.take(A, 2000, 1), 2000)
    taken(own, change(2500, "firing", "c"))
    own.apply(0, change(2600, "firing", "d"))
    for each in ("a", "b", "c", "d"):
        own.apply(0, change(9000, "pending", each))
    # pending ends what fires: that waits too
    following = again(own, now=10_000)
    got = [each for now in range(10_000, 16_000, 1000) for each in sent(following, now)]
    assert [each for each in got if each.startswith("b")] == ["b-1000-firing", "b-2000-resolved"]
    assert [each for each in got if each.startswith("d")] == ["d-2600-firing", "d-9000-pending"]
    assert got.count("a-9000-pending") == 1


@pytest.mark.parametrize(
    ("sent_at", "due"),
    [(0, 100_000), (90_000, 90_000 + RESEND_MS), (10_000, 100_000), (900_000, 100_000 + RESEND_MS)],
    ids=["never", "just before", "long ago", "by a clock that is ahead"],
)
def test_who_goes_on_does_not_send_again_before_the_resend_delay(sent_at, due):
    own = ledger()
    own.apply(0, change(1000, "firing"))
    own.apply(0, change(1000, "firing", "b"))
    written = {key: one.record for key, one in own.take_dirty().items()}
    own.commit(written, 0)
    own.accepted(A, own.take(A, 0, 1), 0)
    written |= {key: one.record for key, one in own.take_dirty().items()}
    following = ledger()
    following.load(0, written, 100_000, sent_at)
    # what waits is sent at once
    begun = sent(following, 100_000)
    assert set(begun) - {"a-1000-firing"} == {"b-1000-firing"}
    if due > 100_000:
        begun += sent(following, due - 1)
        assert "a-1000-firing" not in begun
        begun += sent(following, due)
    assert "a-1000-firing" in begun


def test_what_is_sent_again_is_known_by_its_partition_until_it_is_taken():
    own = ledger()
    own.apply(3, change(1000, "firing"))
    own.commit(own.take_dirty(), 5000)
    sent(own, 5000)
    assert own.take_sent() == {}
    sent(own, 5000 + RESEND_MS)
    assert own.take_sent() == {3: 5000 + RESEND_MS}
    own.leave([3])
    sent(own, 5000 + 2 * RESEND_MS)
    assert own.take_sent() == {}


def test_a_partition_that_comes_back_is_not_sent_again_before_the_resend_delay():
    own = ledger()
    written = left(own, "a")
    assert sent(own, RESEND_MS) == ["a-1000-firing"]
    own.forget_left()
    own.load(1, written, RESEND_MS + 1000, 0)
    assert sent(own, 2 * RESEND_MS - 1) == []
    assert sent(own, 2 * RESEND_MS) == ["a-1000-firing"]


def test_a_new_receiver_gets_what_fires_and_no_past():
    own = ledger()
    taken(own, change(1000, "firing", "a"), change(1000, "firing", "b"), change(2000, "resolved", "b"))
    own.accepted(A, own.take(A, 2000, 64), 2000)
    for each in (change(3000, "pending", "a"), change(4000, "firing", "a"), change(4000, "pending", "b")):
        own.apply(0, each)
    following = again(own, receivers=(A, B))
    assert [each.change.id for each in following.take(B, 0, 64) if not each.again] == ["a-4000-firing"]


def test_of_history_only_what_holds_in_the_end_is_told():
    own = ledger()
    for each in (
        change(1000, "firing", "a"),
        change(2000, "resolved", "a"),
        change(3000, "firing", "a"),
        change(1000, "firing", "b"),
        change(2000, "resolved", "b"),
    ):
        own.apply(0, each, is_history=True)
    own.commit(own.take_dirty(), 2_000_000)
    assert sent(own, 2_000_000) == ["a-3000-firing"]
    taken(own, change(2_000_001, "resolved", "a"), now=2_000_001)
    assert sent(own, 2_000_000 + GAP_MS) == ["a-2000001-resolved"]


def test_what_has_ended_is_let_go_but_remembered_for_as_long_as_it_can_come_again():
    own = ledger()
    taken(own, change(1000, "firing"), change(2000, "resolved"))
    sent(own, 2000)
    sent(own, 3000)
    own.take_dirty()
    later = 2000 + RESOLVED_RETENTION_MS + 1
    own.prune(later)
    [written] = own.take_dirty().values()
    assert written.record.changes == []
    assert taken(own, change(1000, "firing"), change(2000, "resolved")) == [Verdict.OLDER, Verdict.DUPLICATE]
    own.prune(2001 + MEMORY_MS)
    dirty = own.take_dirty()
    assert [one.record for one in dirty.values()] == [None]
    own.commit(dirty, later)
    assert taken(own, change(1000, "firing")) == [Verdict.APPLIED]


def test_what_waits_is_not_let_go():
    own = ledger()
    taken(own, change(1000, "firing"), change(2000, "resolved"))
    own.prune(10 * MEMORY_MS)
    assert sent(own, 10 * MEMORY_MS) == ["a-1000-firing"]
    assert sent(own, 10 * MEMORY_MS + GAP_MS) == ["a-2000-resolved"]


def test_ended_alerts_that_wait_are_bounded_and_those_that_fire_are_kept(monkeypatch):
    monkeypatch.setattr(module, "MOST_ENDED", 3)
    own = ledger()
    taken(own, change(1000, "firing", "long"))
    for number in range(5):
        taken(own, change(1000, "firing", f"n{number}"), change(2000, "resolved", f"n{number}"))
    assert own.dropped[A] == 2
    got = {each for now in range(3000, 7000, 1000) for each in sent(own, now)}
    assert "long-1000-firing" in got
    assert {each for each in got if each.endswith("resolved")} == {f"n{n}-2000-resolved" for n in (2, 3, 4)}


def test_what_lapsed_is_looked_at_again():
    own = ledger()
    taken(own, change(1000, "firing"))
    sent(own, 1000)
    [delivery] = own.take(A, 61_000, 64)
    own.lapsed(A, delivery.key, 61_000)
    assert own.take(A, 61_001, 64) == []
    assert sent(own, 121_000) == ["a-1000-firing"]


def left(own, *names):
    """Alerts in partition 1, each told to fire at 0; the partition is then left."""
    for name in names:
        own.apply(1, change(1000, "firing", name))
    own.commit(own.take_dirty(), 0)
    assert len(sent(own, 0)) == len(names)
    written = own.take_dirty()
    own.leave([1])
    return {key: decode(encode(one.record)) for key, one in written.items()}


def test_what_fires_in_a_partition_that_is_left_is_kept_alive_until_it_is_known_who_reads_it():
    own = ledger()
    left(own, "a")
    for round_ in range(1, 5):
        assert sent(own, round_ * RESEND_MS) == ["a-1000-firing"]
    assert own.take_dirty() == {}
    own.forget_left()
    assert sent(own, 9 * RESEND_MS) == []
    assert own.count_firing() == 0


def test_nothing_new_is_sent_of_a_partition_that_is_left():
    own = ledger()
    left(own, "a", "b")
    own.apply(1, change(2000, "resolved", "a"))
    own.apply(1, change(2000, "firing", "c"))
    own.commit(own.take_dirty(), RESEND_MS)
    assert sent(own, 2 * RESEND_MS) == ["b-1000-firing"]


def test_what_was_under_way_when_its_partition_was_left_is_written_by_who_reads_it():
    own = ledger()
    own.apply(1, change(1000, "firing"))
    own.commit(own.take_dirty(), 0)
    under_way = own.take(A, 0, 64)
    own.leave([1])
    own.accepted(A, under_way, 0)
    own.prune(MEMORY_MS)
    assert own.take_dirty() == {}
    assert sent(own, RESEND_MS) == ["a-1000-firing"]


def test_a_partition_that_comes_back_goes_on_as_it_is_written():
    own = ledger()
    written = left(own, "a", "b")
    del written[key_of(change(1000, "firing", "b"))]
    own.forget_left()
    own.load(1, written, RESEND_MS + 1000)
    assert sent(own, RESEND_MS + 1000) == ["a-1000-firing"]
    taken(own, change(2000, "resolved", "a"), now=RESEND_MS)
    assert sent(own, RESEND_MS + 2000) == ["a-2000-resolved"]


def test_an_end_is_not_sent_again_of_a_partition_that_is_left():
    own = ledger()
    left(own, "a", "b")
    own.forget_left()
    own.apply(1, change(1000, "firing"))
    own.apply(1, change(2000, "resolved"))
    own.commit(own.take_dirty(), 3000)
    assert sent(own, 3000) + sent(own, 3000 + GAP_MS) == ["a-1000-firing", "a-2000-resolved"]
    own.leave([1])
    assert sent(own, 3000 + GAP_MS + RESEND_MS) == []


def test_what_is_not_written_is_not_sent_when_the_alert_is_to_be_sent_again():
    own = ledger()
    taken(own, change(1000, "firing"), change(1000, "firing", "b"))
    assert len(sent(own, 0)) == 2
    own.commit(own.take_dirty(), 0)
    own.apply(0, change(2000, "resolved"))
    assert sent(own, RESEND_MS) == ["b-1000-firing"]
    written = own.take_dirty()
    assert sent(own, RESEND_MS) == []
    own.commit(written, RESEND_MS)
    assert sent(own, RESEND_MS) == ["a-2000-resolved"]


@pytest.mark.parametrize("every_ms", [7_000, 20_000, 50_000, 59_000, 61_000, 100_000])
def test_what_fires_is_sent_again_in_time_however_often_its_partition_changes_hands(every_ms):
    """Each time another process takes it over, after a new alert has been told."""
    own, at, tellings, records, sent_at = ledger(), 0, [], {}, 0
    for number in range(60):
        own.apply(0, change(at, "firing", "a" if number == 0 else f"new{number}"))
        for now in range(at, at + every_ms, 500):
            own.commit(own.take_dirty(), now)
            tellings += [now for one in sent(own, now) if one.startswith("a-")]
            records |= {key: one.record for key, one in own.take_dirty().items()}
            sent_at = own.take_sent().get(0, sent_at)
        at += every_ms
        records |= {key: one.record for key, one in own.take_dirty().items()}
        own = ledger()
        own.load(0, records, at, sent_at)
    gaps = [after - before for before, after in zip(tellings, [*tellings[1:], at], strict=True)]
    assert min(gaps[:-1], default=RESEND_MS) >= RESEND_MS
    assert max(gaps) <= 2 * RESEND_MS + 1000


def test_another_process_takes_a_partition_over():
    own = ledger()
    own.apply(0, change(1000, "firing", "a"))
    own.apply(1, change(1000, "firing", "b"))
    own.commit(own.take_dirty(), 1000)
    own.leave([1])
    own.forget_left()
    assert sent(own, 1000) == ["a-1000-firing"]


def test_a_batch_is_no_larger_than_asked_and_the_rest_comes_next():
    own = ledger()
    taken(own, *(change(1000, "firing", str(number)) for number in range(100)))
    assert [len(sent(own, 1000, most=64)) for _ in range(3)] == [64, 36, 0]
