/** How uPlot draws series. */

import uPlot from "uplot";
import { short } from "../numbers";
import type { Steps } from "../series";
import type { Theme } from "../settings";
import type { Zone } from "../time";
import { lineColour, palette } from "./palette";

/** What decides how a plot looks besides its values; another look is another plot. */
export interface Look {
  readonly count: number;
  readonly stacked: boolean;
  readonly fromZero: boolean;
  readonly zone: Zone;
  readonly theme: Theme;
}

/** What the pointer shows: place on the plot (px), index of the time and of the nearest series; null when it is away. */
export interface Pointed {
  readonly left: number;
  readonly top: number;
  readonly at: number;
  readonly series: number | null;
}

/** from, to: ms. */
export interface PlotEvents {
  readonly steps: () => Steps;
  readonly onZoom: (from: number, to: number) => void;
  readonly onZoomOut: () => void;
  readonly onPoint: (pointed: Pointed | null) => void;
}

export const HEIGHT = 340;
const LEAST_DRAG_PX = 6;
const FONT = "12px system-ui, sans-serif";

const SECOND = 1;
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
const DATE = "\n{YYYY}-{MM}-{DD}";
const MONTH_DAY = "\n{MM}-{DD}";
/** 24 hours a day, the date where it changes: increment, label, and what stands below at a new year, month, day... */
const TIME_LABELS: uPlot.Axis.Values = [
  [365 * DAY, "{YYYY}", null, null, null, null, null, null, 1],
  [28 * DAY, "{YYYY}-{MM}", null, null, null, null, null, null, 1],
  [DAY, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
  [HOUR, "{HH}:{mm}", DATE, null, MONTH_DAY, null, null, null, 1],
  [MINUTE, "{HH}:{mm}", DATE, null, MONTH_DAY, null, null, null, 1],
  [SECOND, "{HH}:{mm}:{ss}", DATE, null, MONTH_DAY, null, null, null, 1],
];

/** The options of a plot of so many pixels. */
export function optionsOf(look: Look, events: PlotEvents, width: number): uPlot.Options {
  const zone = look.zone;
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    ...(zone === "utc" ? { tzDate: (time: number) => uPlot.tzDate(new Date(time * 1000), "Etc/UTC") } : {}),
    scales: {
      x: { time: true, range: () => [events.steps().start / 1000, events.steps().end / 1000] },
      y: { range: (_, low, high) => heightOf(low, high, look) },
    },
    axes: axesOf(look.theme),
    series: [{}, ...Array.from({ length: look.count }, (_, at) => seriesOf(at, look))],
    ...(look.stacked
      ? { bands: Array.from({ length: Math.max(look.count - 1, 0) }, (_, at) => ({ series: [at + 2, at + 1] as [number, number] })) }
      : {}),
    focus: { alpha: look.stacked ? 1 : 0.25 },
    cursor: {
      sync: { key: "time" },
      focus: { prox: 24 },
      points: { size: 6 },
      drag: { x: true, y: false, setScale: false, dist: LEAST_DRAG_PX },
      bind: { dblclick: () => () => (events.onZoomOut(), null) },
    },
    hooks: hooksOf(events),
  };
}

function axesOf(theme: Theme): uPlot.Axis[] {
  const { axis, grid } = palette(theme);
  const lines = { stroke: axis, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: FONT };
  return [
    { ...lines, values: TIME_LABELS, space: 70 },
    { ...lines, values: (_, splits) => splits.map(short), size: 64, space: 34 },
  ];
}

function seriesOf(at: number, look: Look): uPlot.Series {
  const stroke = lineColour(look.theme, at);
  return {
    stroke,
    width: 1.5,
    spanGaps: false,
    points: { size: 4 },
    ...(look.stacked ? { fill: `${stroke}66`, width: 1 } : {}),
  };
}

/** A little room above and below; a flat line in the middle. */
function heightOf(low: number | null, high: number | null, look: Look): [number, number] {
  if (low === null || high === null) return [0, 1];
  const isFromZero = look.fromZero || look.stacked;
  const [bottom, top] = isFromZero ? [Math.min(low, 0), Math.max(high, 0)] : [low, high];
  const room = top > bottom ? (top - bottom) * 0.06 : Math.abs(top) * 0.1 || 1;
  return [isFromZero && bottom === 0 ? 0 : bottom - room, isFromZero && top === 0 ? room : top + room];
}

function hooksOf(events: PlotEvents): uPlot.Hooks.Arrays {
  let nearest: number | null = null;
  const point = (plot: uPlot): void => {
    const { left = -1, top = -1, idx } = plot.cursor;
    const isOn = left >= 0 && idx !== null && idx !== undefined;
    events.onPoint(isOn ? { left, top, at: idx, series: nearest } : null);
  };
  return {
    setSeries: [
      (plot, at, change) => {
        if (!("focus" in change)) return;
        nearest = at === null || at === 0 ? null : at - 1;
        point(plot);
      },
    ],
    setCursor: [point],
    setSelect: [
      (plot) => {
        const { left, width } = plot.select;
        if (width < LEAST_DRAG_PX) return;
        const [from, to] = [plot.posToVal(left, "x") * 1000, plot.posToVal(left + width, "x") * 1000];
        plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        events.onZoom(from, to);
      },
    ],
  };
}
