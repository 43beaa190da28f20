"""The first operator of the job of SQL rules: the samples that their selectors ask for, one row each."""

from collections.abc import Iterator, Sequence

from pyflink.common import Row, Types
from pyflink.datastream import DataStream, ProcessFunction, RuntimeContext
from pyflink.table import DataTypes, Schema, StreamTableEnvironment

from operators.message import Message
from operators.worker import restore_print
from streamgauge.config import Config
from streamgauge.garbage import freeze_heap

SAMPLE = Types.ROW_NAMED(
    ["selector", "ms", "labels", "value"],
    [Types.INT(), Types.LONG(), Types.MAP(Types.STRING(), Types.STRING()), Types.DOUBLE()],
)


class PickSamples(ProcessFunction):
    """Yields SAMPLEs of batches, and once in the life of a worker a roll call.

    :param selectors: as PromQL; a sample names its selector by its number.
    """

    def __init__(self, config: Config, selectors: Sequence[str]) -> None:
        self._config = config
        self._selectors = selectors

    def open(self, context: RuntimeContext) -> None:
        restore_print()
        from streamgauge.promql.syntax.parser import selector
        from streamgauge.rules.sql.sampler import Sampler

        lanes = self._config.layout.lanes
        self._sampler = Sampler([selector(text) for text in self._selectors], lanes)
        self._has_called = False
        counters = context.get_metrics_group()
        self._batches = counters.counter("batches")
        self._skipped = counters.counter("skipped")
        self._samples = counters.counter("samples")
        freeze_heap()

    def process_element(self, row: Row, context: ProcessFunction.Context) -> Iterator[Row]:
        from schemas.batches.batch import InvalidBatch, envelope
        from streamgauge.rules.sql.script import ROLL_CALL

        if not self._has_called:
            # whoever waits for time has lost its timers if a worker died
            self._has_called = True
            yield Row(ROLL_CALL, context.timestamp(), {}, 0.0)
        message = Message(*row)
        payload = message.payload
        try:
            headers = {"version": message.version, "sent": message.sent}
            place = envelope(message.key, headers, context.timestamp(), self._config.layout.lanes)
            found = list(self._sampler.samples(payload, place.lane, place.minute)) if payload else []
        except InvalidBatch:
            # the store job sets it aside with its reason
            self._skipped.inc()
            return
        self._batches.inc()
        self._samples.inc(len(found))
        for sample in found:
            yield Row(*sample)


def as_table(tables: StreamTableEnvironment, samples: DataStream, name: str) -> None:
    """Make SAMPLEs a table, whose `ts` is the time of each, with the watermark of the stream."""
    schema = (
        Schema.new_builder()
        .column("selector", DataTypes.INT())
        .column("ms", DataTypes.BIGINT())
        .column("labels", DataTypes.MAP(DataTypes.STRING(), DataTypes.STRING()))
        .column("value", DataTypes.DOUBLE())
        .column_by_expression("ts", "TO_TIMESTAMP_LTZ(ms, 3)")
        .watermark("ts", "SOURCE_WATERMARK()")
        .build()
    )
    tables.create_temporary_view(name, tables.from_data_stream(samples, schema))
