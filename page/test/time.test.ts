import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, formatMoment, niceStep, parseDuration, parseMoment, roughly } from "../src/time";

const NOW = Date.UTC(2026, 10, 24, 10, 5, 0);

test("durations are read as Prometheus reads them", () => {
  assert.equal(parseDuration("1h30m"), 5_400_000);
  assert.equal(parseDuration("2w"), 1_209_600_000);
  assert.equal(parseDuration("1s500ms"), 1500);
  for (const wrong of ["", "0s", "1", "1.5h", "30m1h", "-1h", "1h 1m", "h"]) {
    assert.equal(parseDuration(wrong), null, wrong);
  }
});

test("what is written is read back the same", () => {
  for (const ms of [1, 999, 1000, 61_000, 3_600_000, 5_400_000, 86_400_000, 90_061_001, 31_536_000_000]) {
    assert.equal(parseDuration(formatDuration(ms)), ms);
  }
  assert.equal(formatDuration(0), "0s");
});

test("a moment is now, an age, seconds or a date", () => {
  assert.equal(parseMoment(" now ", NOW, "utc"), NOW);
  assert.equal(parseMoment("now-1h30m", NOW, "utc"), NOW - 5_400_000);
  assert.equal(parseMoment("1764000000.5", NOW, "utc"), 1_764_000_000_500);
  assert.equal(parseMoment("2026-11-24 10:05", NOW, "utc"), NOW);
  assert.equal(parseMoment("2026-11-24T10:05:00.25Z", NOW, "local"), NOW + 250);
  assert.equal(parseMoment("2026-11-24T12:35:00+02:30", NOW, "local"), NOW);
  assert.equal(parseMoment("2026-11-24", NOW, "utc"), Date.UTC(2026, 10, 24));
});

test("what is no moment is refused", () => {
  for (const wrong of ["", "noon", "now+1h", "now-", "2026-02-31", "2026-01-01 24:00", "2026-13-01", "12"]) {
    assert.equal(parseMoment(wrong, NOW, "utc"), null, wrong);
  }
});

test("a moment is read back in the zone in which it was written", () => {
  for (const zone of ["utc", "local"] as const) {
    for (const moment of [NOW, NOW + 7, Date.UTC(2026, 6, 1, 23, 59, 59)]) {
      assert.equal(parseMoment(formatMoment(moment, zone), 0, zone), moment);
    }
  }
  assert.equal(formatMoment(NOW, "utc"), "2026-11-24 10:05:00");
});

test("a step is one that people choose and gives no more points than asked", () => {
  assert.equal(niceStep(3_600_000, 400), 10_000);
  assert.equal(niceStep(1000, 400), 1000);
  assert.equal(niceStep(90 * 86_400_000, 60), 2 * 86_400_000);
  for (const range of [60_000, 7_200_001, 86_400_000, 400 * 86_400_000]) {
    assert.ok(range / niceStep(range, 300) <= 300);
  }
});

test("an age is told in a unit that fits", () => {
  assert.deepEqual(
    [1234, 45_000, 90_000, 600_000, 7_500_000, 4 * 86_400_000, 100 * 3_600_000].map(roughly),
    ["1.2 s", "45 s", "90 s", "10 min", "2 h 5 min", "4 d", "4 d 4 h"],
  );
});
