/** The query view as the address has it: Prometheus's `g0.expr=...`, so that its links work here and ours there. */

import { formatDuration, formatMoment, parseDuration, parseMoment } from "./time";

export type Tab = "graph" | "table";

/** One query. fromZero: whether the axis begins at 0. */
export interface PanelState {
  readonly expr: string;
  readonly tab: Tab;
  readonly stacked: boolean;
  readonly fromZero: boolean;
}

/** What all queries look at. end, stepMs: null for now and for one that fits; refreshMs: 0 for never. */
export interface TimeState {
  readonly rangeMs: number;
  readonly end: number | null;
  readonly stepMs: number | null;
  readonly refreshMs: number;
}

export interface QueryState {
  readonly panels: readonly PanelState[];
  readonly time: TimeState;
}

export const EMPTY_PANEL: PanelState = { expr: "", tab: "graph", stacked: false, fromZero: false };
export const DEFAULT_TIME: TimeState = { rangeMs: 3_600_000, end: null, stepMs: null, refreshMs: 0 };

const MAX_PANELS = 20;
const TABS: ReadonlyMap<string, Tab> = new Map([
  ["0", "graph"],
  ["graph", "graph"],
  ["1", "table"],
  ["table", "table"],
]);

/** What an address asks for; what it does not say, or says in no known way, is as by default. */
export function decode(search: string): QueryState {
  const given = new URLSearchParams(search);
  const panels: PanelState[] = [];
  while (panels.length < MAX_PANELS && given.has(`g${panels.length}.expr`)) {
    panels.push(panelOf(given, `g${panels.length}.`));
  }
  return { panels: panels.length ? panels : [EMPTY_PANEL], time: timeOf(given) };
}

function panelOf(given: URLSearchParams, prefix: string): PanelState {
  const get = (name: string): string => given.get(prefix + name) ?? "";
  return {
    expr: get("expr"),
    tab: TABS.get(get("tab")) ?? EMPTY_PANEL.tab,
    stacked: get("display_mode") === "stacked" || get("stacked") === "1",
    fromZero: get("y_axis_min") === "0",
  };
}

function timeOf(given: URLSearchParams): TimeState {
  const end = given.get("g0.end_input") ?? given.get("g0.moment_input") ?? "";
  const step = Number(given.get("g0.res_step") ?? given.get("g0.step_input") ?? "");
  return {
    rangeMs: parseDuration(given.get("g0.range_input") ?? "") ?? DEFAULT_TIME.rangeMs,
    end: end && end !== "now" ? parseMoment(end, Date.now(), "utc") : null,
    stepMs: Number.isFinite(step) && step > 0 ? step * 1000 : null,
    refreshMs: parseDuration(given.get("refresh") ?? "") ?? 0,
  };
}

/** The part of an address after its `?`, as short as it can be. */
export function encode(state: QueryState): string {
  const said = new URLSearchParams();
  state.panels.forEach((panel, at) => {
    const prefix = `g${at}.`;
    said.set(`${prefix}expr`, panel.expr);
    said.set(`${prefix}tab`, panel.tab);
    if (panel.stacked) said.set(`${prefix}display_mode`, "stacked");
    if (panel.fromZero) said.set(`${prefix}y_axis_min`, "0");
    sayTime(said, prefix, state.time);
  });
  if (state.time.refreshMs > 0) said.set("refresh", formatDuration(state.time.refreshMs));
  return said.toString();
}

function sayTime(said: URLSearchParams, prefix: string, time: TimeState): void {
  said.set(`${prefix}range_input`, formatDuration(time.rangeMs));
  if (time.end !== null) said.set(`${prefix}end_input`, formatMoment(time.end, "utc"));
  if (time.stepMs !== null) {
    said.set(`${prefix}res_type`, "custom");
    said.set(`${prefix}res_step`, String(time.stepMs / 1000));
  }
}

/** A link to queries. */
export function graphLink(exprs: string | readonly string[], tab: Tab = "graph"): string {
  const said = new URLSearchParams();
  [exprs].flat().forEach((expr, at) => {
    said.set(`g${at}.expr`, expr);
    said.set(`g${at}.tab`, tab);
  });
  return `graph?${said.toString()}`;
}
