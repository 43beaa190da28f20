import assert from "node:assert/strict";
import { test } from "node:test";
import { hiddenAfter } from "../src/query/hiding";

const NAMES = ["a", "b", "c"];

function after(hidden: string[], name: string, isOnlyThat = false): string[] {
  return [...hiddenAfter(NAMES, new Set(hidden), name, isOnlyThat)].sort();
}

test("a click shows only that series, and all again", () => {
  assert.deepEqual(after([], "b"), ["a", "c"]);
  assert.deepEqual(after(["a", "c"], "b"), []);
  assert.deepEqual(after(["a", "c"], "a"), ["b", "c"]);
});

test("with a modifier only that series changes", () => {
  assert.deepEqual(after([], "b", true), ["b"]);
  assert.deepEqual(after(["a", "b"], "b", true), ["a"]);
});

test("names of series that are gone stay hidden only until all are shown", () => {
  assert.deepEqual(after(["gone"], "a"), ["b", "c"]);
});
