import assert from "node:assert/strict";
import { test } from "node:test";
import { type Order, type Row, VALUE, ordered } from "../src/query/order";

const ROWS: Row[] = [
  { labels: { host: "host-10" }, number: 2, points: [] },
  { labels: { host: "host-9" }, number: NaN, points: [] },
  { labels: {}, number: Infinity, points: [] },
  { labels: { host: "host-2" }, number: -1, points: [] },
];

function by(order: Order | null): (string | undefined)[] {
  return ordered(ROWS, order).map(({ labels }) => labels["host"]);
}

test("rows stand by value, what is no number last", () => {
  assert.deepEqual(by({ name: VALUE, isFalling: true }), [undefined, "host-10", "host-2", "host-9"]);
  assert.deepEqual(by({ name: VALUE, isFalling: false }), ["host-2", "host-10", undefined, "host-9"]);
});

test("rows stand by a label, numbers in it by size, what lacks it last", () => {
  assert.deepEqual(by({ name: "host", isFalling: false }), ["host-2", "host-9", "host-10", undefined]);
  assert.deepEqual(by({ name: "host", isFalling: true }), ["host-10", "host-9", "host-2", undefined]);
});

test("without an order they stand as they came", () => {
  assert.deepEqual(by(null), ["host-10", "host-9", undefined, "host-2"]);
});
