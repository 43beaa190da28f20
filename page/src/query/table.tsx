/** The table of an instant query. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { InstantPoint, InstantResult, InstantSeries } from "../api";
import { type Labels, METRIC, commonLabels, namesOf, without } from "../labels";
import { counted, parseValue } from "../numbers";
import { LabelList, Notice } from "../parts";
import type { Point } from "../series";
import { useSetting, zoneChoice } from "../settings";
import { formatMoment } from "../time";
import { type Order, type Row, VALUE, ordered } from "./order";

const ROWS = 200;
const MOST_COLUMNS = 8;

/** The answer of an instant query of any type. */
export function ResultTable({ result }: { readonly result: InstantResult }): JSX.Element {
  if (isPoint(result)) {
    return (
      <p class="scalar">
        <span class="dim">{result.resultType}</span> {result.result[1]}
      </p>
    );
  }
  if (result.result.length === 0) {
    return <Notice tone="plain">No series has a value at this time.</Notice>;
  }
  return <Rows rows={rowsOf(result)} />;
}

function isPoint(result: InstantResult): result is InstantPoint {
  return result.resultType === "scalar" || result.resultType === "string";
}

function rowsOf(result: InstantSeries): Row[] {
  if (result.resultType === "matrix") {
    return result.result.map(({ metric, values }) => ({ labels: metric, number: NaN, points: values }));
  }
  return result.result.map(({ metric, value }) => ({ labels: metric, number: parseValue(value[1]), points: [value] }));
}

/** A column for each label that differs; where there are too many of them, the labels in one. */
function Rows({ rows }: { readonly rows: readonly Row[] }): JSX.Element {
  const [order, setOrder] = useState<Order | null>(null);
  const [isAll, setAll] = useState(false);
  const common = rows.length > 1 ? commonLabels(rows.map(({ labels }) => labels)) : {};
  const differing = rows.map(({ labels }) => without(labels, common));
  const names = namesOf(differing);
  const isWide = names.length > MOST_COLUMNS || rows.length === 1;
  const sorted = ordered(rows, order);
  const shown = isAll ? sorted : sorted.slice(0, ROWS);
  const heading = (name: string, text: string): JSX.Element => (
    <Heading key={name} name={name} text={text} order={order} onOrder={setOrder} />
  );
  return (
    <>
      {Object.keys(common).length > 0 && (
        <div class="common">
          <span class="dim">all: </span>
          <LabelList labels={common} />
        </div>
      )}
      <div class="scroll">
        <table class="result">
          <thead>
            <tr>
              {isWide ? <th>series</th> : names.map((name) => heading(name, name === METRIC ? "metric" : name))}
              {heading(VALUE, "value")}
            </tr>
          </thead>
          <tbody>
            {shown.map(({ labels, points }) => (
              <tr key={JSON.stringify(labels)}>
                {isWide ? (
                  <td>
                    <LabelList labels={without(labels, common)} />
                    {Object.keys(labels).length === 0 && <span class="dim">no labels</span>}
                  </td>
                ) : (
                  names.map((name) => <Cell key={name} labels={labels} name={name} />)
                )}
                <td class="number">
                  <Values points={points} isRange={rows[0]?.number !== rows[0]?.number && points.length > 1} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < rows.length && (
        <button class="text" onClick={() => setAll(true)}>
          {`Show all ${counted(rows.length, "series", "series")}`}
        </button>
      )}
    </>
  );
}

function Cell({ labels, name }: { readonly labels: Labels; readonly name: string }): JSX.Element {
  const value = labels[name];
  if (value === undefined) return <td class="dim">–</td>;
  return <td class={name === METRIC ? "metric" : ""}>{value}</td>;
}

/** One value, or each with its time. */
function Values({ points, isRange }: { readonly points: readonly Point[]; readonly isRange: boolean }): JSX.Element {
  const zone = useSetting(zoneChoice);
  if (!isRange) return <>{points.map(([, text]) => text).join(" ")}</>;
  return (
    <>
      {points.map(([time, text]) => (
        <div key={time}>
          {text} <span class="dim">@ {formatMoment(time * 1000, zone)}</span>
        </div>
      ))}
    </>
  );
}

function Heading(props: {
  readonly name: string;
  readonly text: string;
  readonly order: Order | null;
  readonly onOrder: (order: Order | null) => void;
}): JSX.Element {
  const { name, text, order, onOrder } = props;
  const isOurs = order?.name === name;
  // first by size or the alphabet, then the other way round, then as the gateway gave them
  const first = name === VALUE;
  const turn = (): void => {
    if (!isOurs) onOrder({ name, isFalling: first });
    else onOrder(order.isFalling === first ? { name, isFalling: !first } : null);
  };
  const sorted = isOurs ? (order.isFalling ? "descending" : "ascending") : "none";
  return (
    <th aria-sort={sorted} class={name === VALUE ? "number" : ""}>
      <button class="heading" onClick={turn}>
        {text}
        <span aria-hidden="true">{isOurs ? (order.isFalling ? " ↓" : " ↑") : ""}</span>
      </button>
    </th>
  );
}
