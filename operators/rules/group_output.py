"""How what groups of rules tell leaves their operator, and how their alerts are kept in Flink's state."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyflink.common import Row, Types
from pyflink.datastream import DataStream, OutputTag, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor
from pyflink.table import StreamTableEnvironment

from operators.rules.pieces import Pieces
from schemas import topics
from sinks.kafka import MESSAGE, TIMED_MESSAGE, send
from streamgauge.config import Config

if TYPE_CHECKING:
    from streamgauge.rules.job.group_messages import Ticked
    from streamgauge.rules.machine.group_state import GroupState

TRIGGERED = OutputTag("triggered", MESSAGE)
STATE = OutputTag("state", MESSAGE)
BATCHES = OutputTag("batches", TIMED_MESSAGE)
BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())


def send_alerts(tables: StreamTableEnvironment, groups: DataStream, config: Config) -> None:
    """Send what an operator yields as TRIGGERED, STATE and BATCHES to its topics."""
    statements = tables.create_statement_set()
    send(tables, statements, groups.get_side_output(TRIGGERED), config, topics.TRIGGERED)
    send(tables, statements, groups.get_side_output(STATE), config, topics.ALERT_STATE)
    send(tables, statements, groups.get_side_output(BATCHES), config, topics.RAW, timed=True)
    statements.attach_as_datastream()


def messages(ticked: "Ticked", sent: int) -> Iterator[object]:
    """What a tick gave, as TRIGGERED, STATE and BATCHES.

    :param sent: the moment (ms) in which the tick was due: a replay writes the same, and time never moves by what
        rules write.
    """
    from schemas.alert_messages import HEADERS
    from schemas.batches.batch import headers_of, key_of
    from streamgauge.rules.machine.recorded_batches import PRODUCER

    headers = {name: text.encode() for name, text in HEADERS.items()}
    for tag, found in ((TRIGGERED, ticked.triggered), (STATE, ticked.state)):
        for message in found:
            yield tag, Row(message.key, message.payload, headers)
    own = dict(headers_of(PRODUCER, sent))
    for batch in ticked.batches:
        yield BATCHES, Row(key_of(batch.lane), batch.payload, own, batch.newest)


class StoredGroup:
    """The state of a group at its key: its last tick (ms), its rules, their alerts and series."""

    def __init__(self, context: RuntimeContext) -> None:
        self._last = context.get_state(ValueStateDescriptor("last-tick-v1", Types.LONG()))
        self._origins = context.get_state(ValueStateDescriptor("rules-v1", Types.STRING()))
        states = [MapStateDescriptor(name, Types.STRING(), BYTES) for name in ("alerts-v1", "given-v1")]
        self._alerts, self._given = (Pieces(context.get_map_state(one)) for one in states)

    @property
    def last(self) -> int:
        """The last tick, 0 before the first."""
        return self._last.value() or 0

    def read(self) -> "GroupState":
        """What was written."""
        from streamgauge.rules.machine import alert_codec
        from streamgauge.rules.machine.group_codec import decode_given, decode_origins
        from streamgauge.rules.machine.group_state import GroupState

        return GroupState(
            {identity: alert_codec.decode(data) for identity, data in self._alerts.read().items()},
            {identity: decode_given(data) for identity, data in self._given.read().items()},
            decode_origins(self._origins.value()),
        )

    def write(self, tick: int, state: "GroupState", ticked: "Ticked") -> None:
        """What a tick has changed."""
        from streamgauge.rules.machine import alert_codec
        from streamgauge.rules.machine.group_codec import encode_given, encode_origins

        self._last.update(tick)
        if ticked.are_new:
            self._origins.update(encode_origins(state.origins))
        for identity in ticked.outcome.states:
            alerts = state.states.get(identity)
            self._alerts.put(identity, None if alerts is None else alert_codec.encode(alerts))
        for identity in ticked.outcome.given:
            given = state.given.get(identity)
            self._given.put(identity, None if given is None else encode_given(given))

    def clear(self) -> None:
        """The group is gone."""
        for state in (self._last, self._origins, self._alerts, self._given):
            state.clear()
