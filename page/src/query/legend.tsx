/** The series of a graph with their figures; it shows and hides them. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Labels } from "../labels";
import { counted, short } from "../numbers";
import { LabelList } from "../parts";
import { type Column, summary } from "../series";
import { useTheme } from "../settings";
import { hiddenAfter } from "./hiding";
import { lineColour } from "./palette";

interface Properties {
  readonly common: Labels;
  readonly labels: readonly Labels[];
  readonly names: readonly string[];
  readonly columns: readonly Column[];
  readonly hidden: ReadonlySet<string>;
  readonly onHide: (hidden: ReadonlySet<string>) => void;
  readonly onPoint: (at: number | null) => void;
}

const ROWS = 20;

function figure(value: number | null): string {
  return value === null ? "–" : short(value);
}

/** The legend, 20 rows unless the reader wants all. */
export function Legend(properties: Properties): JSX.Element {
  const { common, labels, names, columns, hidden } = properties;
  const [isAll, setAll] = useState(false);
  const theme = useTheme();
  const rows = isAll ? names : names.slice(0, ROWS);
  return (
    <figcaption class="legend">
      {Object.keys(common).length > 0 && (
        <div class="common">
          <span class="dim">all: </span>
          <LabelList labels={common} />
        </div>
      )}
      <table>
        <thead>
          <tr>
            <th>Series</th>
            {["last", "min", "mean", "max"].map((title) => (
              <th key={title} class="number">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody onMouseLeave={() => properties.onPoint(null)}>
          {rows.map((name, at) => {
            const figures = summary(columns[at] ?? []);
            const change = (event: MouseEvent): void =>
              properties.onHide(
                hiddenAfter(names, hidden, name, event.ctrlKey || event.metaKey || event.shiftKey),
              );
            return (
              <tr key={name} class={hidden.has(name) ? "off" : ""} onMouseEnter={() => properties.onPoint(at)}>
                <td>
                  <button class="series" aria-pressed={!hidden.has(name)} onClick={change}>
                    <i class="swatch" style={{ background: lineColour(theme, at) }} />
                    <LabelList labels={labels[at] ?? {}} />
                    {Object.keys(labels[at] ?? {}).length === 0 && <span class="dim">value</span>}
                  </button>
                </td>
                {[figures.last, figures.min, figures.mean, figures.max].map((value, which) => (
                  <td key={which} class="number">
                    {figure(value)}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
      {rows.length < names.length && (
        <button class="text" onClick={() => setAll(true)}>
          {`Show all ${counted(names.length, "series", "series")}`}
        </button>
      )}
    </figcaption>
  );
}
