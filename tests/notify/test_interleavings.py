"""Whatever comes twice, is replayed or crashes: receivers get what they get of the clean stream."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.notified_messages import decode, encode
from streamgauge.notify.ledger import GAP_MS, Ledger
from tests.notify.changes import change

RECEIVERS = ("http://a", "http://b")
NAMES = ("x", "y")
STATES = ("pending", "firing", "resolved", "firing", "resolved")


class Process:
    """Bridges one after the other over one topic; what is written outlives them."""

    def __init__(self, messages) -> None:
        self.messages = messages
        self.written = {}
        self.committed = 0
        self.got = {receiver: [] for receiver in RECEIVERS}
        self.now = 10_000_000
        self.start()

    def start(self):
        """Begin with what is written; all else is lost."""
        self.ledger = Ledger(RECEIVERS, 60_000, 24 * 3_600_000)
        self.ledger.load(0, {key: decode(value) for key, value in self.written.items()}, self.now)
        self.position = self.committed
        self.is_left = False

    def leave(self):
        """Kafka is away for longer than the session lasts, or another process joins."""
        self.ledger.leave([0])
        self.is_left = True

    def come_back(self):
        """The partition is this process's, as it was or for the first time."""
        self.ledger.forget_left()
        self.ledger.load(0, {key: decode(value) for key, value in self.written.items()}, self.now)
        self.position = self.committed
        self.is_left = False

    def read(self, count):
        for message in self.messages[self.position : self.position + count]:
            self.ledger.apply(0, message)
        self.position = min(self.position + count, len(self.messages))

    def commit(self):
        records = self.ledger.take_dirty()
        for key, (_, record) in records.items():
            self.written[key] = encode(record)
        if self.is_left:
            assert not records
            return
        self.committed = self.position
        self.ledger.commit(records, self.now)

    def fail_to_commit(self):
        """The transaction is made, but the process ends before it knows."""
        self.commit()
        self.start()

    def commit_a_part(self, count):
        """The process ends between two transactions: the offset would have been in the last."""
        for key, (_, record) in list(self.ledger.take_dirty().items())[:count]:
            self.written[key] = encode(record)
        self.start()

    def send(self, receiver, arrives, is_answered=True):
        deliveries = self.ledger.take(receiver, self.now, 2)
        if arrives:
            self.got[receiver] += [(each.change.labels["instance"], each.change.id) for each in deliveries]
        if arrives and is_answered:
            self.ledger.accepted(receiver, deliveries, self.now)
        else:
            self.ledger.failed(receiver, deliveries, self.now)
        self.now += GAP_MS

    def finish(self):
        """Read and send all that is left."""
        self.leave()
        self.come_back()
        self.read(len(self.messages))
        self.commit()
        for receiver in RECEIVERS:
            for _ in range(4 * len(self.messages) + 4):
                self.send(receiver, arrives=True)


def clean(ticks):
    """The changes of alerts, which fire and resolve twice at most, in the order of their ticks."""
    changes = [
        change(1000 * tick, state, name)
        for name, own in zip(NAMES, ticks, strict=True)
        for tick, state in zip(own, STATES, strict=False)
    ]
    return sorted(changes, key=lambda each: each.tick)


def firsts(got, name):
    """What a receiver got of an alert, without what it got again."""
    return list(dict.fromkeys(id for own, id in got if own == name))


TICKS = st.lists(st.integers(1, 60), unique=True, max_size=5).map(sorted)
STEPS = st.one_of(
    st.tuples(st.just("read"), st.integers(1, 4)),
    st.just(("commit",)),
    st.just(("fail_to_commit",)),
    st.tuples(st.just("commit_a_part"), st.integers(0, 1)),
    st.just(("start",)),
    st.just(("leave",)),
    st.just(("come_back",)),
    st.tuples(st.just("send"), st.sampled_from(RECEIVERS), st.booleans(), st.booleans()),
)


@given(st.tuples(TICKS, TICKS), st.data())
def test_any_interleaving_gives_the_same_changes_in_the_same_order(ticks, data):
    stream = clean(ticks)
    messages = list(stream)
    for at, begin in data.draw(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=5)):
        # a job that goes on from an older snapshot sends again what it has sent
        at, begin = min(at, len(messages)), min(begin, at, len(messages))
        messages[at:at] = messages[begin:at]
    process = Process(messages)
    for name, *arguments in data.draw(st.lists(STEPS, max_size=30)):
        getattr(process, name)(*arguments)
    process.finish()
    for receiver in RECEIVERS:
        for name in NAMES:
            told = [each.id for each in stream if each.labels["instance"] == name and each.after != "pending"]
            assert firsts(process.got[receiver], name) == told


@given(st.tuples(TICKS, TICKS))
def test_without_faults_everything_comes_once(ticks):
    stream = clean(ticks)
    process = Process(stream)
    for _ in stream:
        process.read(1)
        process.commit()
        for receiver in RECEIVERS:
            process.send(receiver, arrives=True)
            process.send(receiver, arrives=True)
    told = [(each.labels["instance"], each.id) for each in stream if each.after != "pending"]
    assert process.now < 10_000_000 + 60_000
    for receiver in RECEIVERS:
        assert sorted(process.got[receiver]) == sorted(told)
