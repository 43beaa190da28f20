/** The graph of a range query, with what the pointer is at. */

import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { type Labels, commonLabels, without } from "../labels";
import { counted } from "../numbers";
import { type Column, type RangeSeries, type Steps, aligned, stacked } from "../series";
import { useSetting, useTheme, zoneChoice } from "../settings";
import { formatMoment } from "../time";
import { Legend } from "./legend";
import { HEIGHT, type Look, type Pointed, optionsOf } from "./plot";
import { Tooltip } from "./tooltip";

export const MOST_DRAWN = 200;

interface Properties {
  readonly series: readonly RangeSeries[];
  readonly steps: Steps;
  readonly isStacked: boolean;
  readonly isFromZero: boolean;
  readonly onZoom: (from: number, to: number) => void;
  readonly onZoomOut: () => void;
}

/** The graph of all series, the first 200 of them unless the reader wants them all. */
export function Graph(properties: Properties): JSX.Element {
  const [isAll, setAll] = useState(false);
  const { series } = properties;
  const drawn = isAll ? series : series.slice(0, MOST_DRAWN);
  return (
    <>
      {drawn.length < series.length && (
        <div class="notice info" role="status">
          {`The first ${counted(drawn.length, "series", "series")} of ${counted(series.length, "", "")} are drawn. `}
          <button class="text" onClick={() => setAll(true)}>
            Draw all
          </button>
        </div>
      )}
      <Drawn {...properties} series={drawn} />
    </>
  );
}

function Drawn({ series, steps, isStacked, isFromZero, onZoom, onZoomOut }: Properties): JSX.Element {
  const zone = useSetting(zoneChoice);
  const theme = useTheme();
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [pointed, setPointed] = useState<Pointed | null>(null);
  const { columns, times } = useMemo(() => aligned(series, steps), [series, steps]);
  const names = useMemo(() => series.map(({ metric }) => JSON.stringify(metric)), [series]);
  const common = useMemo(() => (series.length > 1 ? commonLabels(series.map(({ metric }) => metric)) : {}), [series]);
  const labels: readonly Labels[] = useMemo(() => series.map(({ metric }) => without(metric, common)), [series, common]);
  const look: Look = { count: series.length, stacked: isStacked, fromZero: isFromZero, zone, theme };
  const shown = useMemo(
    () => (isStacked ? stacked(columns.map((column, at) => (hidden.has(names[at] ?? "") ? gaps(column) : column))) : columns),
    [columns, hidden, isStacked, names],
  );
  const { parent, plot } = usePlot(look, shown, times, steps, { onZoom, onZoomOut, onPoint: setPointed });
  useEffect(() => {
    plot.current?.batch(() => {
      names.forEach((name, at) => plot.current?.setSeries(at + 1, { show: !hidden.has(name) }));
    });
  }, [hidden, names, look.stacked, look.fromZero, zone, theme]);

  const span = `${formatMoment(steps.start, zone)} to ${formatMoment(steps.end, zone)}`;
  const about = `Graph of ${counted(series.length, "series", "series")} from ${span}; the legend has their values`;
  return (
    <figure class="graph">
      <div class="plot" role="img" aria-label={about} ref={parent} style={{ minHeight: `${HEIGHT}px` }}>
        {pointed?.series != null && (
          <Tooltip pointed={pointed} column={columns[pointed.series]} times={times} labels={labels[pointed.series]} />
        )}
      </div>
      <Legend
        common={common}
        labels={labels}
        names={names}
        columns={columns}
        hidden={hidden}
        onHide={setHidden}
        onPoint={(at) => plot.current?.setSeries(at === null ? null : at + 1, { focus: true })}
      />
    </figure>
  );
}

function gaps(column: Column): Column {
  return column.map(() => null);
}

interface Events {
  readonly onZoom: (from: number, to: number) => void;
  readonly onZoomOut: () => void;
  readonly onPoint: (pointed: Pointed | null) => void;
}

/** A plot in an element, made anew when its look changes and as wide as the element always. */
function usePlot(look: Look, columns: readonly Column[], times: number[], steps: Steps, events: Events) {
  const parent = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const newest = useRef({ steps, events, columns, times });
  newest.current = { steps, events, columns, times };

  useEffect(() => {
    const element = parent.current;
    if (element === null) return undefined;
    const options = optionsOf(
      look,
      {
        steps: () => newest.current.steps,
        onZoom: (from, to) => newest.current.events.onZoom(from, to),
        onZoomOut: () => newest.current.events.onZoomOut(),
        onPoint: (pointed) => newest.current.events.onPoint(pointed),
      },
      element.clientWidth,
    );
    const made = new uPlot(options, [newest.current.times, ...newest.current.columns], element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [look.count, look.stacked, look.fromZero, look.zone, look.theme]);

  useEffect(() => {
    plot.current?.setData([times, ...columns]);
  }, [columns, times]);

  return { parent, plot };
}
