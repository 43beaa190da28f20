/** In which order the rows of a table stand. */

import type { Labels } from "../labels";
import type { Point } from "../series";

/** number: the value of an instant vector; NaN where there are several. */
export interface Row {
  readonly labels: Labels;
  readonly number: number;
  readonly points: readonly Point[];
}

export interface Order {
  readonly name: string;
  readonly isFalling: boolean;
}

/** The name of the column of values, which no label can have. */
export const VALUE = "";

const COLLATOR = new Intl.Collator("en", { numeric: true });

/** The rows by a column; NaN and labels that are not there come last in any case. null: as they are. */
export function ordered(rows: readonly Row[], order: Order | null): readonly Row[] {
  if (order === null) return rows;
  const sign = order.isFalling ? -1 : 1;
  return [...rows].sort((a, b) => {
    if (order.name === VALUE) {
      const [aIs, bIs] = [Number.isNaN(a.number), Number.isNaN(b.number)];
      return aIs || bIs ? Number(aIs) - Number(bIs) : sign * (a.number === b.number ? 0 : a.number - b.number);
    }
    const [ours, theirs] = [a.labels[order.name], b.labels[order.name]];
    if (ours === undefined || theirs === undefined) return Number(ours === undefined) - Number(theirs === undefined);
    return sign * COLLATOR.compare(ours, theirs);
  });
}
