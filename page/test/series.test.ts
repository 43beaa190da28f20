import assert from "node:assert/strict";
import { test } from "node:test";
import { MOST_POINTS, aligned, stacked, stepsOf, summary } from "../src/series";

test("steps are multiples of their width, so that the next look asks for the same", () => {
  const first = stepsOf(1_000_007_000, 60_000, 15_000);
  assert.deepEqual(first, { start: 999_945_000, end: 1_000_005_000, step: 15_000 });
  assert.deepEqual(stepsOf(1_000_012_000, 60_000, 15_000).end, first.end);
});

test("a step is never so short that the gateway would refuse", () => {
  const { start, end, step } = stepsOf(1_000_000_000, 86_400_000, 1000);
  assert.ok((end - start) / step + 1 <= MOST_POINTS);
});

test("series are put on one axis, with gaps where they have no value", () => {
  const steps = { start: 10_000, end: 25_000, step: 5000 };
  const found = aligned(
    [
      { metric: {}, values: [[10, "1"], [20, "3.5"]] },
      { metric: {}, values: [[15, "NaN"], [20, "+Inf"], [25, "-2"], [30, "9"]] },
    ],
    steps,
  );
  assert.deepEqual(found.times, [10, 15, 20, 25]);
  assert.deepEqual(found.columns, [[1, null, 3.5, null], [null, null, null, -2]]);
});

test("stacked series stand on those before them", () => {
  assert.deepEqual(stacked([[1, null, 2], [10, 20, null], [100, 200, 300]]), [
    [1, null, 2],
    [11, 20, null],
    [111, 220, 302],
  ]);
  assert.deepEqual(stacked([]), []);
});

test("the legend tells of the values that there are", () => {
  assert.deepEqual(summary([null, 4, 1, null]), { last: 1, min: 1, max: 4, mean: 2.5 });
  assert.deepEqual(summary([null]), { last: null, min: null, max: null, mean: null });
});
