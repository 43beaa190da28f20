/** How the series of a metric come about: by label, and by its values. */

import { type Labels, METRIC } from "./labels";

/** values: how many different ones; top: those of the most series. */
export interface LabelShare {
  readonly name: string;
  readonly values: number;
  readonly top: readonly (readonly [string, number])[];
}

const TOP = 5;

/** The labels of series, those with the most values first. */
export function labelShares(series: readonly Labels[]): LabelShare[] {
  const counts = new Map<string, Map<string, number>>();
  for (const labels of series) {
    for (const [name, value] of Object.entries(labels)) {
      if (name === METRIC) continue;
      const ofLabel = counts.get(name) ?? new Map<string, number>();
      counts.set(name, ofLabel.set(value, (ofLabel.get(value) ?? 0) + 1));
    }
  }
  return [...counts]
    .map(([name, ofLabel]) => ({
      name,
      values: ofLabel.size,
      top: [...ofLabel].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, TOP),
    }))
    .sort((a, b) => b.values - a.values || (a.name < b.name ? -1 : 1));
}
