"""At the limits and beyond them, on every way in: no job stops, the others' samples are there, refusals can be seen."""

import asyncio
import re
import time

import numpy as np
import pytest
import yaml
from werkzeug import Response

from integration.conftest import HOUR_MS, KEPT_HOURS
from integration.support.collecting import collecting, named
from integration.support.stored import wait_for
from schemas.batches import batch
from schemas.tables import LATENESS_MS
from streamgauge.collect.receive.remote_write_request import compress, encode
from streamgauge.series import ids
from streamgauge.series.labels import canonical
from streamgauge.series.matchers import Matcher, MatchOp
from streamgauge.store.reader import Reader
from streamgauge.store.session import connect
from streamgauge.times import now_ms
from tests.support.http_server import serving
from tests.support.limit_cases import LIMITS, cases, page_of, pushed_of

ACCEPTED_MS = KEPT_HOURS * HOUR_MS - LATENESS_MS


@pytest.fixture(scope="module")
def session(config):
    session = connect(config.cassandra)
    yield session
    session.cluster.shutdown()


def split(job, instance):
    """The series within the limits and those beyond one, of one way in."""
    found = cases(job=job, instance=instance).values()
    good = [{"__name__": "good", "job": job, "instance": instance}]
    return [*good, *(one for within, _ in found for one in within)], [
        one for _, beyond in found for one in beyond
    ]


@pytest.mark.usefixtures("undisturbed")
def test_each_way_in_takes_what_is_within_the_limits_and_refuses_the_rest(config, session, tmp_path):
    now = now_ms()
    times = now - 90_000, now - 89_999
    expected, pages = {}, {}

    def expect(job, instance, series=None):
        within = split(job, instance)[0] if series is None else series
        expected.update({canonical(one): dict(zip(times, (1.0, 2.0), strict=True)) for one in within})

    async def send(address, file):
        expect("limits_scrape", address)
        async with collecting(named(config, "limits", scrape_config=file)) as http:

            async def post(path, body, good):
                kind = {"content-type": "application/json"} if path == "push" else {}
                answer = await http.post(f"/api/v1/{path}", content=body, headers=kind, timeout=60)
                assert answer.status_code == (204 if good else 400), answer.text
                assert good or answer.text.endswith("all other samples were written\n")
                return answer.text

            for path in ("write", "push"):
                expect(path, "i")
                for good, series in zip((True, False), split(path, "i"), strict=True):
                    # what is refused comes with one that is not
                    own = series if good else [*series, {"__name__": "beside", "job": path}]
                    written = compress(encode([(one, [(times[0], 1.0), (times[1], 2.0)]) for one in own]))
                    said = await post(path, written if path == "write" else pushed_of(own, *times), good)
                    assert good or all(f"{reason}: 4 samples refused" in said for reason in LIMITS)
                expect(path, "", [{"__name__": "beside", "job": path}])
            body, found = extremes(now)
            expected.update(found)
            assert "too_old" in await post("write", body, False)
            deadline = time.monotonic() + 60
            target = {"health": ""}
            while target["health"] != "up":
                assert time.monotonic() < deadline, target
                await asyncio.sleep(0.1)
                [target] = (await http.get("/api/v1/targets")).json()["data"]["activeTargets"]
            assert {line.split(":")[0] for line in target["lastRefused"]} == set(LIMITS)
            counted = (await http.get("/metrics")).text
            refused = dict(re.findall(r'samples_refused_total\{reason="(\w+)"\} (\d+)', counted))
            assert all(int(refused[reason]) >= 12 for reason in LIMITS), refused
            assert int(refused["too_old"]) > 1000
            await asyncio.to_thread(await_samples, config, session, expected)

    with serving(lambda request: Response(pages[request.headers["Host"]])) as url:
        address = url.removeprefix("http://")
        within, beyond = split("limits_scrape", address)
        pages[address] = page_of([*within, *beyond], *times)
        file = tmp_path / "scrape.yml"
        job = {
            "job_name": "limits_scrape",
            "scrape_interval": "3s",
            "static_configs": [{"targets": [address]}],
        }
        file.write_text(yaml.safe_dump({"scrape_configs": [job]}))
        asyncio.run(send(address, file))


def extremes(now):
    """A request of what is large or old in other ways, and what is to be found of it."""
    random = np.random.default_rng(1)
    minute = batch.minute_of(now) - 120_000
    dense = list(zip(range(minute, minute + 60_000), random.standard_normal(60_000).tolist(), strict=True))
    texts = random.integers(0x23, 0x5B, (200, 2, 7900), np.uint8)
    long = [
        (
            {
                "__name__": f"long{number}",
                "job": "extremes",
                **{f"v{n}": text.tobytes().decode() for n, text in enumerate(pair)},
            },
            [(now, 1.0)],
        )
        for number, pair in enumerate(texts)
    ]
    oldest = now - ACCEPTED_MS + 300_000
    since_1970 = [*range(60_000, oldest - 600_000, 4 * 24 * HOUR_MS), oldest]
    requests = [
        ({"__name__": "dense", "job": "extremes"}, dense),
        *long,
        ({"__name__": "one_timestamp", "job": "extremes"}, [(now - 1000, float(n)) for n in range(20_000)]),
        ({"__name__": "since_1970", "job": "extremes"}, [(at, 1.0) for at in since_1970]),
        ({"__name__": "seconds", "job": "extremes"}, [(now // 1000, 1.0)]),
    ]
    expected = {canonical(labels): dict(samples) for labels, samples in requests[:-1]}
    expected[canonical(requests[-2][0])] = {oldest: 1.0}
    return compress(encode(requests)), expected


def await_samples(config, session, expected):
    """Return when everything that is expected can be read, and nothing else of these jobs."""
    reader = Reader(session, config.shards, config.storage_classes)
    jobs = sorted({label for data in expected for label in re.findall(rb"job\xff([^\xff]+)", data)})

    def found():
        now, rows = now_ms(), {}
        for job in jobs:
            selection = reader.select(
                [Matcher("job", MatchOp.EQUAL, job.decode())], now - KEPT_HOURS * HOUR_MS, now
            )
            samples = reader.raw(selection, now - KEPT_HOURS * HOUR_MS, now)
            names = dict(zip(ids.split(ids.to_bytes(selection.ids)), selection.labels, strict=True))
            for row, identity in enumerate(ids.split(ids.to_bytes(samples.ids))):
                own = slice(samples.offsets[row], samples.offsets[row + 1])
                rows[names[identity]] = dict(
                    zip(samples.timestamps[own].tolist(), samples.values[own].tolist(), strict=True)
                )
        return {
            data: samples
            for data, samples in rows.items()
            if b"scrape_" not in data and b"__name__\xffup" not in data
        }

    wait_for(lambda: found() == expected, 60, lambda: _difference(found(), expected))


def _difference(found, expected):
    missing = [data[:80] for data in expected if found.get(data) != expected[data]]
    more = [data[:80] for data in found if data not in expected]
    return f"missing or other {missing[:20]}, more {more[:20]}"
