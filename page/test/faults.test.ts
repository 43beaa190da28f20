import assert from "node:assert/strict";
import { test } from "node:test";
import { faultOf, judged, offsetOf } from "../src/faults";

test("the word at the place that the parser names is marked", () => {
  const query = "sum(foo bar)";
  const fault = faultOf('invalid parameter "query": 1:9: parse error: unexpected identifier "bar"', query);
  assert.deepEqual(fault, { from: 8, to: 11, message: 'unexpected identifier "bar"' });
});

test("what is missing at the end is marked at the last character", () => {
  const fault = faultOf('invalid parameter "query": 1:4: parse error: unexpected end of input', "up{");
  assert.deepEqual([fault.from, fault.to], [2, 3]);
});

test("columns count bytes, lines are found", () => {
  assert.equal(offsetOf('{a="été"} x', 1, 13), 10);
  assert.equal(offsetOf("a\nbc +", 2, 4), 5);
  assert.equal(offsetOf("😀+", 1, 5), 2);
  assert.equal(offsetOf("a", 7, 9), 1);
});

test("an error without a place is of the whole query", () => {
  const message = "function info() works on info metrics, which are not supported";
  assert.deepEqual(faultOf(message, "info(up)"), { from: 0, to: 8, message });
  const empty = 'invalid parameter "query": unknown position: parse error: no expression found in input';
  assert.equal(faultOf(empty, "").message, "no expression found in input");
});

test("the gateway has the last word, the grammar the place", () => {
  const own = [{ from: 3, to: 9, message: "own" }];
  const said = { from: 4, to: 5, message: "said" };
  assert.deepEqual(judged(own, undefined), own);
  assert.deepEqual(judged(own, null), []);
  assert.deepEqual(judged(own, said), [{ from: 3, to: 9, message: "said" }]);
  assert.deepEqual(judged([], said), [said]);
  assert.deepEqual(judged([{ from: 20, to: 22, message: "elsewhere" }], said), [said]);
});
