import assert from "node:assert/strict";
import { test } from "node:test";
import { chosen, shifted, zoomed } from "../src/range";
import { DEFAULT_TIME } from "../src/url_state";

const NOW = 10_000_000;
const PAST = { ...DEFAULT_TIME, rangeMs: 1_000_000, end: 5_000_000 };
const LIVE = { ...DEFAULT_TIME, rangeMs: 1_000_000 };

test("zooming keeps the middle, and what ends now", () => {
  assert.deepEqual(zoomed(PAST, 2, NOW), { ...PAST, rangeMs: 2_000_000, end: 5_500_000 });
  assert.deepEqual(zoomed(PAST, 0.5, NOW), { ...PAST, rangeMs: 500_000, end: 4_750_000 });
  assert.deepEqual(zoomed(LIVE, 0.5, NOW), { ...LIVE, rangeMs: 500_000 });
  assert.equal(zoomed({ ...PAST, end: NOW - 1 }, 2, NOW).end, null);
  assert.equal(zoomed({ ...LIVE, rangeMs: 1000 }, 0.5, NOW).rangeMs, 1000);
});

test("moving goes half a range, and never beyond now", () => {
  assert.equal(shifted(LIVE, -1, NOW).end, 9_500_000);
  assert.equal(shifted(PAST, 1, NOW).end, 5_500_000);
  assert.equal(shifted({ ...PAST, end: 9_600_000 }, 1, NOW).end, null);
});

test("what was drawn over is in the range that is chosen", () => {
  assert.deepEqual(chosen(LIVE, 4_000_400, 5_000_600), { ...LIVE, rangeMs: 1_001_000, end: 5_001_000 });
  assert.equal(chosen(LIVE, 4_000_100, 4_000_200).rangeMs, 1000);
});
