import assert from "node:assert/strict";
import { test } from "node:test";
import { commonLabels, namesOf, seriesText, without } from "../src/labels";
import { bytes, counted, grouped, parseValue, seconds, short } from "../src/numbers";

test("a series is written as the selector that selects it", () => {
  assert.equal(seriesText({ __name__: "up", job: "a", instance: 'b"\\\n' }), 'up{instance="b\\"\\\\\\n", job="a"}');
  assert.equal(seriesText({ __name__: "up" }), "up");
  assert.equal(seriesText({ job: "a" }), '{job="a"}');
  assert.equal(seriesText({}), "{}");
  assert.equal(seriesText({ __name__: "my metric", "a.b": "c" }), '{"my metric", "a.b"="c"}');
});

test("labels that all have are told once", () => {
  const sets = [{ job: "a", zone: "x", host: "1" }, { job: "a", zone: "y", host: "2" }, { job: "a", zone: "x" }];
  const common = commonLabels(sets);
  assert.deepEqual(common, { job: "a" });
  assert.deepEqual(without(sets[0] ?? {}, common), { zone: "x", host: "1" });
  assert.deepEqual(commonLabels([]), {});
  assert.deepEqual(namesOf([{ b: "1" }, { __name__: "x", a: "2" }]), ["__name__", "a", "b"]);
});

test("values are read as Prometheus writes them", () => {
  assert.deepEqual(["1.5", "+Inf", "-Inf", "1e-7"].map(parseValue), [1.5, Infinity, -Infinity, 1e-7]);
  assert.ok(Number.isNaN(parseValue("NaN")));
});

test("numbers are short", () => {
  assert.deepEqual(
    [0, 0.1 + 0.2, -1.5, 9999.96, 12_345, 999_999, 1_234_567, -2.5e9, 1e21, 1.23456e-7, NaN, Infinity].map(short),
    ["0", "0.3", "-1.5", "10000", "12.35k", "1M", "1.235M", "-2.5G", "1e+21", "1.235e-7", "NaN", "+Inf"],
  );
});

test("counts, bytes and seconds have their units", () => {
  assert.equal(grouped(1_234_567), "1\u202f234\u202f567");
  assert.equal(counted(1, "point", "points"), "1 point");
  assert.equal(counted(2, "point", "points"), "2 points");
  assert.deepEqual([0, 1023, 1024, 5 * 2 ** 30].map(bytes), ["0 B", "1020 B", "1 KiB", "5 GiB"]);
  assert.deepEqual([0.0123, 2.5].map(seconds), ["12.3 ms", "2.5 s"]);
});
