"""Which class series are of, and how long what is kept."""

import numpy as np
import pytest

from schemas.tables import Resolution, ddl
from schemas.units import DAY_MS, HOUR_MS
from streamgauge.config import Config, Storage, StorageClassSettings, read
from streamgauge.series import ids, labels
from streamgauge.series.known_classes import KnownClasses
from streamgauge.series.samples import Samples
from streamgauge.yaml_file import InvalidFile

CONFIG = Config(
    storage=Storage(
        classes={
            "critical": StorageClassSettings(match=('{tier="1"}', "up"), retention={"1min": "30d"}),
            "short": StorageClassSettings(match=('{job=~"ci.*"}',), retention={"1day": "30d"}, digests=False),
            "standard": StorageClassSettings(retention={"raw": "2d"}),
        }
    )
)


def _data(**given):
    return labels.canonical({"__name__": "m", **given})


def test_the_first_class_that_selects_a_series_is_its_class():
    rules = CONFIG.class_rules
    assert [kept.name for kept in CONFIG.storage_classes] == ["critical", "short", "standard"]
    assert rules.of(_data(tier="1", job="ci-7")) == 0
    assert rules.of(labels.canonical({"__name__": "up", "job": "x"})) == 0
    assert rules.of(_data(job="ci-7")) == 1
    assert rules.of(_data(job="shop")) == 2


def test_what_a_class_does_not_say_is_as_in_the_standard_class():
    critical, short, standard = CONFIG.storage_classes
    assert critical.retention_ms[Resolution.MIN1] == 30 * DAY_MS
    assert critical.retention_ms[Resolution.RAW] == standard.retention_ms[Resolution.RAW] == 48 * HOUR_MS
    assert short.retention_ms[Resolution.DAY1] == 30 * DAY_MS
    assert (critical.digests, short.digests) == (True, False)


def test_each_class_has_tables_of_its_own():
    statements = "\n".join(ddl("k", 1, CONFIG.storage_classes))
    for table in ("metrics_raw", "metrics_raw_critical", "metrics_rollup_1day_short"):
        assert f"k.{table} (" in statements


def test_samples_are_split_by_class_and_labels_asked_for_once():
    every = sorted(
        (ids.series_id(data), data) for data in (_data(n=str(n), job=("ci", "x")[n % 2]) for n in range(9))
    )
    samples = Samples(
        ids.from_bytes(b"".join(identity for identity, _ in every)),
        np.arange(10),
        np.arange(9),
        np.arange(9.0),
    )
    asked = []
    known = KnownClasses(CONFIG.class_rules)

    def ask():
        asked.append(1)
        return dict(every)

    for _ in range(2):
        found = dict(known.split(samples, ask))
        assert {number: len(own.ids) for number, own in found.items()} == {1: 5, 2: 4}
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("storage: {classes: {short: {match: ['sum(up)']}}}", r'1:4: parse error: unexpected "\("'),
        ("storage: {classes: {short: {retention: {1min: soon}}}}", "not a valid duration"),
        ("storage: {classes: {short: {retention: {2min: 1d}}}}", "1min"),
        ("storage: {classes: {standard: {match: [up]}}}", "must have no match"),
        # else a day would be built from the hours that are left of it
        (
            "storage: {classes: {short: {retention: {1hour: 12h}}}}",
            "classes.short: 1hour must be kept for two windows of 1day",
        ),
        (
            "storage: {classes: {standard: {retention: {1day: 1d}}}}",
            "1day must be kept for two windows of 1day",
        ),
        ("storage: {classes: {Short: {}}}", "pattern"),
    ],
)
def test_a_class_that_cannot_be_is_refused_with_the_place(tmp_path, text, words):
    file = tmp_path / "streamgauge.yml"
    file.write_text(text)
    with pytest.raises(InvalidFile, match=words) as refusal:
        read(file)
    assert f"{file}:1:" in str(refusal.value)
