import assert from "node:assert/strict";
import { test } from "node:test";
import { labelShares } from "../src/cardinality";

test("the label with the most values comes first, its values by their series", () => {
  const series = Array.from({ length: 12 }, (_, at) => ({
    __name__: "x",
    host: `h${at}`,
    job: at < 8 ? "a" : "b",
    ...(at === 0 ? { odd: "1" } : {}),
  }));
  const shares = labelShares(series);
  assert.deepEqual(shares.map(({ name, values }) => [name, values]), [["host", 12], ["job", 2], ["odd", 1]]);
  assert.deepEqual(shares[1]?.top, [["a", 8], ["b", 4]]);
  assert.equal(shares[0]?.top.length, 5);
});

test("no series have no labels", () => {
  assert.deepEqual(labelShares([]), []);
});
