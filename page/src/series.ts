/** What a range query answers, as columns over one axis of time. */

import type { Labels } from "./labels";
import { parseValue } from "./numbers";

/** A point of the API: seconds of the epoch, and a number as text. */
export type Point = readonly [number, string];

export interface RangeSeries {
  readonly metric: Labels;
  readonly values: readonly Point[];
}

export type Column = (number | null)[];

/** times: s of the epoch, rising by the step; columns: a value or a gap per time, one column a series. */
export interface Aligned {
  readonly times: number[];
  readonly columns: Column[];
}

/** The moments of a range query; ms. */
export interface Steps {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

export const MOST_POINTS = 11_000;

/** The steps for a range that ends at `end`, moved to multiples of the step: what is asked again is the same. */
export function stepsOf(end: number, rangeMs: number, step: number): Steps {
  const width = Math.max(step, Math.ceil(rangeMs / (MOST_POINTS - 2)));
  return { start: Math.floor((end - rangeMs) / width) * width, end: Math.floor(end / width) * width, step: width };
}

/** The series on the axis of their steps. A value that is no finite number is a gap: nothing can be drawn there. */
export function aligned(series: readonly RangeSeries[], steps: Steps): Aligned {
  const count = Math.floor((steps.end - steps.start) / steps.step) + 1;
  const times = Array.from({ length: count }, (_, at) => (steps.start + at * steps.step) / 1000);
  const columns = series.map(({ values }) => {
    const column: Column = new Array<number | null>(count).fill(null);
    for (const [time, text] of values) {
      const at = Math.round((time * 1000 - steps.start) / steps.step);
      const value = parseValue(text);
      if (at >= 0 && at < count && Number.isFinite(value)) column[at] = value;
    }
    return column;
  });
  return { times, columns };
}

/** Each column on top of the ones before it. Nothing is stacked on a gap; where all have one there is one. */
export function stacked(columns: readonly Column[]): Column[] {
  const height = new Array<number>(columns[0]?.length ?? 0).fill(0);
  return columns.map((column) =>
    column.map((value, at) => {
      if (value === null) return null;
      height[at] = (height[at] ?? 0) + value;
      return height[at] ?? null;
    }),
  );
}

/** Of the values that there are; null if there are none. */
export interface Summary {
  readonly last: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
}

/** What the legend says of a series. */
export function summary(column: Column): Summary {
  let [min, max, sum, count] = [Infinity, -Infinity, 0, 0];
  let last: number | null = null;
  for (const value of column) {
    if (value === null) continue;
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
    count += 1;
    last = value;
  }
  return count === 0 ? { last: null, min: null, max: null, mean: null } : { last, min, max, mean: sum / count };
}
