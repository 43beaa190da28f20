/** Moving the range of time that is looked at. */

import type { TimeState } from "./url_state";

const LEAST_MS = 1000;

/** Twice (2) or half (0.5) as much, around the same middle; what ends now goes on to. */
export function zoomed(time: TimeState, factor: number, now: number): TimeState {
  const rangeMs = Math.max(LEAST_MS, Math.round(time.rangeMs * factor));
  if (time.end === null) return { ...time, rangeMs };
  return { ...time, rangeMs, end: pastOnly(time.end + (rangeMs - time.rangeMs) / 2, now) };
}

/** Half a range earlier (-1) or later (1); what reaches now ends now from then on. */
export function shifted(time: TimeState, direction: 1 | -1, now: number): TimeState {
  return { ...time, end: pastOnly((time.end ?? now) + (direction * time.rangeMs) / 2, now) };
}

/** Exactly what was chosen (ms), to whole seconds, as addresses have them. */
export function chosen(time: TimeState, from: number, to: number): TimeState {
  const end = Math.ceil(to / 1000) * 1000;
  const rangeMs = Math.max(LEAST_MS, end - Math.floor(from / 1000) * 1000);
  return { ...time, rangeMs, end };
}

function pastOnly(end: number, now: number): number | null {
  return end >= now ? null : Math.round(end);
}
