import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_TIME, EMPTY_PANEL, type QueryState, decode, encode, graphLink } from "../src/url_state";

test("the link of an alert shows the table of its expression", () => {
  const { panels, time } = decode("?g0.expr=up%7Bjob%3D%22a+b%22%7D+%3D%3D+0&g0.tab=1");
  assert.deepEqual(panels, [{ ...EMPTY_PANEL, expr: 'up{job="a b"} == 0', tab: "table" }]);
  assert.deepEqual(time, DEFAULT_TIME);
});

test("a link of Prometheus is understood", () => {
  const { panels, time } = decode(
    "g0.expr=a&g0.tab=graph&g0.end_input=2026-11-24%2010%3A05%3A00&g0.range_input=2h&g0.res_type=custom" +
      "&g0.res_step=15&g0.display_mode=stacked&g1.expr=b&g1.tab=0&g1.stacked=0&g3.expr=never",
  );
  assert.deepEqual(panels.map(({ expr, tab, stacked }) => [expr, tab, stacked]), [
    ["a", "graph", true],
    ["b", "graph", false],
  ]);
  assert.deepEqual(time, { rangeMs: 7_200_000, end: Date.UTC(2026, 10, 24, 10, 5), stepMs: 15_000, refreshMs: 0 });
});

test("a state comes back from its address", () => {
  const state: QueryState = {
    panels: [
      { expr: 'rate(x{a="&=+%"}[5m])\n# two lines', tab: "graph", stacked: true, fromZero: true },
      { expr: "", tab: "table", stacked: false, fromZero: false },
    ],
    time: { rangeMs: 5_400_000, end: Date.UTC(2026, 10, 24), stepMs: 30_000, refreshMs: 10_000 },
  };
  assert.deepEqual(decode(encode(state)), state);
});

test("what is wrong in an address is as by default", () => {
  const wrong = "g0.expr=up&g0.tab=pie&g0.range_input=long&g0.end_input=noon&g0.res_step=-1&refresh=often";
  assert.deepEqual(decode(wrong), { panels: [{ ...EMPTY_PANEL, expr: "up" }], time: DEFAULT_TIME });
  assert.deepEqual(decode(""), { panels: [EMPTY_PANEL], time: DEFAULT_TIME });
});

test("an address holds only so many queries", () => {
  const many = Array.from({ length: 50 }, (_, at) => `g${at}.expr=up`).join("&");
  assert.equal(decode(many).panels.length, 20);
});

test("a link to a query is read back", () => {
  assert.equal(decode(graphLink("a == 1", "table").split("?")[1] ?? "").panels[0]?.expr, "a == 1");
  const { panels } = decode(graphLink(["a", 'b{c="&"}'], "table").split("?")[1] ?? "");
  assert.deepEqual(panels, [
    { ...EMPTY_PANEL, expr: "a", tab: "table" },
    { ...EMPTY_PANEL, expr: 'b{c="&"}', tab: "table" },
  ]);
});
