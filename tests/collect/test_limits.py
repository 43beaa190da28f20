"""What a series may be is the same on every way in, and what was accepted fits everywhere behind it."""

from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import limits, topics
from schemas.batches import batch
from schemas.batches.batch_packing import cut, pack
from schemas.tables import LATENESS_MS
from schemas.units import DAY_MS, HOUR_MS
from streamgauge.collect.incoming.ages import Ages
from streamgauge.collect.incoming.faults import SampleFault
from streamgauge.collect.incoming.refusals import Refusals
from streamgauge.collect.incoming.rows import Rows, admit
from streamgauge.collect.incoming.series_table import SeriesTable
from streamgauge.collect.producing.batcher import batches
from streamgauge.collect.receive import push, remote_write
from streamgauge.collect.receive.remote_write_request import encode
from streamgauge.collect.scraping.target_series import TargetSeries
from streamgauge.collect.scraping.targets import Target, read_targets
from streamgauge.config import Config
from streamgauge.rules.machine import recorded_batches
from streamgauge.rules.machine.evaluation import Point
from streamgauge.series.ids import from_bytes, series_id
from streamgauge.series.labels import canonical, parse
from streamgauge.series.samples import Samples
from streamgauge.yaml_file import InvalidFile
from tests.support.limit_cases import GOOD, LIMITS, labels_of, page_of, pushed_of

NOW = 1_800_000_000_000


def by_remote_write(series):
    table = SeriesTable(8, 1000)
    written = remote_write.decode(
        encode([(labels, [(NOW, 1.0), (NOW + 1, 2.0)]) for labels in series]), table
    )
    return table, written.rows, written.refused


def by_push(series):
    table = SeriesTable(8, 1000)
    pushed = push.decode(pushed_of(series, NOW, NOW + 1), table, NOW)
    return table, pushed.rows, pushed.refused


def by_scrape(series):
    table = SeriesTable(8, 1000)
    page = page_of(series, NOW, NOW + 1)
    scraped = TargetSeries(_target())
    rows = scraped.scraped(page, table, NOW, 0.1)
    return table, rows, scraped.refused


def _target(**labels):
    return Target(
        job="j",
        url="http://127.0.0.1:1/metrics",
        interval=1000,
        timeout=1000,
        labels={"job": "j", "instance": "i"} | labels,
        external={},
        honor_labels=False,
        honor_timestamps=True,
    )


WAYS = {"remote_write": by_remote_write, "push": by_push, "scrape": by_scrape}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("reason", LIMITS)
def test_every_way_in_refuses_the_same_series_and_takes_the_others(way, reason):
    limit = LIMITS[reason]
    series = [labels_of(reason, size) for size in (limit - 1, limit, limit + 1, 10 * limit)] + [GOOD]
    table, rows, refused = WAYS[way](series)
    taken = {table.canonical(int(ordinal)) for ordinal in rows.ordinals}
    assert {canonical(labels) for labels in (*series[:2], GOOD)} <= taken
    assert not {canonical(labels) for labels in series[2:4]} & taken
    assert not any(limits.unindexable(data) for data in taken)
    counted = {each.reason.value: each.samples for each in refused}
    assert counted == {reason: 4}
    [one] = refused
    assert f"limit: {limit}" in one.detail
    assert len(str(one)) < 1000


@pytest.mark.parametrize("reason", LIMITS)
def test_what_rules_record_is_held_against_the_same_limits(reason):
    limit = LIMITS[reason]
    series = [labels_of(reason, size) for size in (limit - 1, limit, limit + 1, 10 * limit)] + [GOOD]
    packed = recorded_batches.batches([Point(labels, 1.0) for labels in series], NOW, 1)
    found = [batch.decode(one.payload, 0, one.minute, 1, labels=True).labels.to_pylist() for one in packed]
    assert {data for labels in found for data in labels} == {canonical(one) for one in (*series[:2], GOOD)}


texts = st.text(st.characters(codec="utf-8"), max_size=40)


@given(st.dictionaries(texts.filter(bool), texts, max_size=4), st.integers(1, 10_000))
def test_what_is_within_the_limits_fits_every_key_of_the_index(labels, repeat):
    data = canonical({**{name * repeat: value * repeat for name, value in labels.items()}, "__name__": "m"})
    with suppress(limits.ExceededLimit):
        limits.check(data)
        assert len(data) <= limits.MAX_LABELS_BYTES < limits.MAX_INDEX_LABEL_BYTES
        assert all(len(name) <= limits.MAX_LABEL_NAME_BYTES for name in parse(data))


def test_a_label_that_fills_a_key_is_the_last_that_the_index_holds():
    name, room = "v", limits.MAX_INDEX_LABEL_BYTES - 2
    assert not limits.unindexable(canonical({"__name__": "m", name: "x" * room}))
    assert "index" in limits.unindexable(canonical({"__name__": "m", name: "x" * (room + 1)}))


def _incompressible(count, size, samples):
    random = np.random.default_rng(1)
    table = SeriesTable(1, 10_000)
    names = random.integers(0x20, 0x7F, (count, size - 30), np.uint8)
    chunk = limits.MAX_LABEL_VALUE_BYTES
    series = []
    for number, name in enumerate(names):
        text = name.tobytes().decode()
        values = {f"v{at}": text[at : at + chunk] for at in range(0, len(text), chunk)}
        series.append(canonical({"__name__": f"m{number}", **values}))
    ordinals = np.array([table.intern(data) for data in series])
    minute = batch.minute_of(NOW)
    times = np.tile(minute + np.arange(samples, dtype=np.int64), count)
    values = random.standard_normal(count * samples)
    return table, Rows(ordinals, np.full(count, samples), times, values), series


@pytest.mark.parametrize(
    ("count", "size", "samples"),
    [
        (1000, limits.MAX_LABELS_BYTES, 1),
        (1, limits.MAX_LABELS_BYTES, 60_000),
        (1000, 1000, 60),
        (10, 100, 60_000),
    ],
)
def test_no_message_is_longer_than_a_topic_takes(count, size, samples):
    """However little compresses, and at the most samples that a minute has: one each millisecond."""
    table, rows, series = _incompressible(count, size, samples)
    for data in series:
        limits.check(data)
    by_id = sorted((series_id(data), at) for at, data in enumerate(series))
    order = [at for _, at in by_id]
    sorted_samples = Samples(
        from_bytes(b"".join(identity for identity, _ in by_id)),
        np.arange(count + 1) * samples,
        rows.timestamps,
        rows.values.reshape(count, samples)[order].ravel(),
    )
    labels = {series_id(data): data for data in series}
    sent = [out.value for out in batches(table, [rows])]
    recorded = [packed.payload for packed in pack(sorted_samples, labels, 1)]
    for payloads in (sent, recorded):
        assert max(map(len, payloads)) < limits.MAX_BATCH_BYTES * 1.1 < limits.MAX_MESSAGE_BYTES - 100_000
        found = [batch.decode(payload, 0, batch.minute_of(NOW), 1).samples for payload in payloads]
        assert sum(len(each.values) for each in found) == count * samples


@given(
    st.lists(
        st.tuples(st.integers(1, 700), st.sampled_from([50, 3000, limits.MAX_LABELS_BYTES, 960_000])),
        max_size=6,
    )
)
def test_batches_of_uneven_series_are_cut_by_bytes_and_by_number(runs):
    weights = np.array([weight for count, weight in runs for _ in range(count)], np.int64)
    found = list(cut(weights)) if len(weights) else []
    assert [row for start, end in found for row in range(start, end)] == [*range(len(weights))]
    for start, end in found:
        assert end - start <= limits.MAX_BATCH_SERIES
        assert weights[start:end].sum() <= limits.MAX_BATCH_BYTES


def test_every_topic_takes_what_producers_send():
    for topic in topics.topics(4, 1, HOUR_MS):
        assert topic.settings["max.message.bytes"] == str(limits.MAX_MESSAGE_BYTES)


CLASSES = Config.model_validate(
    {"storage": {"classes": {"long": {"match": ['{tier="1"}'], "retention": {"raw": "30d", "1min": "60d"}}}}}
)


@pytest.mark.parametrize(
    ("config", "kept_ms"), [(CLASSES, {"1": 30 * DAY_MS, "2": DAY_MS}), (Config(), {"2": DAY_MS})]
)
def test_samples_that_no_table_takes_are_refused_by_class_in_prometheus_words(config, kept_ms):
    table, ages = SeriesTable(8, 100), Ages(config.storage_classes, config.class_rules)
    for tier, kept in kept_ms.items():
        ordinal = table.intern(canonical({"__name__": "m", "tier": tier}))
        oldest = NOW - kept + LATENESS_MS
        times = np.array([oldest, oldest - 1, NOW, NOW - 400 * DAY_MS])
        rows = Rows(np.array([ordinal]), np.array([4]), times, np.arange(4.0))
        refusals = Refusals()
        good = admit(rows, table, NOW, ages, refusals)
        assert good.timestamps.tolist() == [oldest, NOW]
        assert good.values.tolist() == [0.0, 2.0]
        [refused] = refusals
        assert (refused.reason, refused.samples) == (SampleFault.TOO_OLD, 2)
        assert "too old sample" in str(refused)
        assert f"{kept / HOUR_MS - 1 / 6:.4g} h" in str(refused)


def test_seconds_taken_for_milliseconds_are_named():
    table, refusals = SeriesTable(8, 100), Refusals()
    ordinal = table.intern(canonical({"__name__": "m"}))
    rows = Rows(np.array([ordinal]), np.array([1]), np.array([NOW // 1000]), np.ones(1))
    ages = Ages(Config().storage_classes, Config().class_rules)
    assert not len(admit(rows, table, NOW, ages, refusals).timestamps)
    assert "looks like seconds" in str(next(iter(refusals)))


def test_a_refused_series_of_a_page_is_not_read_again_and_its_reports_say_so():
    table, series = SeriesTable(8, 1000), TargetSeries(_target())
    page = f'good 1\nbad{{v="{"x" * 70_000}"}} 2\n'.encode()
    for added in (1.0, 0.0):
        rows = series.scraped(page, table, NOW, 0.1)
        found = {
            parse(table.canonical(int(ordinal)))["__name__"]: value
            for ordinal, value in zip(rows.ordinals, rows.values, strict=True)
        }
        assert found["good"] == 1.0
        assert "bad" not in found
        assert (found["up"], found["scrape_samples_scraped"]) == (1.0, 2.0)
        assert found["scrape_samples_post_metric_relabeling"] == 1.0
        assert found["scrape_series_added"] == added
        assert [each.samples for each in series.refused] == [1]
    series.scraped(b"good 1\n", SeriesTable(8, 1000), NOW, 0.1)
    assert not series.refused


def test_a_target_whose_own_labels_exceed_a_limit_is_an_error_of_the_file(tmp_path):
    file = tmp_path / "scrape.yml"
    value = "x" * (limits.MAX_LABEL_VALUE_BYTES + 1)
    file.write_text(
        f"scrape_configs:\n- job_name: j\n  static_configs:\n  - targets: ['h:1']\n    labels: {{v: {value}}}\n"
    )
    with pytest.raises(InvalidFile, match="label_value_length_limit exceeded") as refusal:
        read_targets(file)
    assert "'h:1'" in str(refusal.value)


def test_a_single_series_is_cut_out_of_a_batch():
    series = sorted((series_id(data), data) for data in (canonical({"__name__": f"m{n}"}) for n in range(5)))
    samples = Samples(
        from_bytes(b"".join(one for one, _ in series)), np.arange(6), np.full(5, NOW), np.arange(5.0)
    )
    whole = batch.encode(samples, pa.array([data for _, data in series], pa.binary()))
    decoded = batch.decode(whole, 0, batch.minute_of(NOW), 1, labels=True)
    identity, data = series[3]
    alone = batch.decode(batch.single(decoded, identity), 0, batch.minute_of(NOW), 1, labels=True)
    assert batch.labels_by_id(alone) == {identity: data}
    assert alone.samples.values.tolist() == [3.0]
