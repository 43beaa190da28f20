/** One query: its box, what it costs, and its graph or table. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { type Answer, type InstantResult, type RangeResult, formatQuery, queryAt, queryOver } from "../api";
import { useLoaded } from "../loading";
import { counted, seconds } from "../numbers";
import { Choice, Notice, Remarks, Trouble } from "../parts";
import { chosen, zoomed } from "../range";
import { type Steps, stepsOf } from "../series";
import { formatDuration, niceStep } from "../time";
import type { PanelState, TimeState } from "../url_state";
import { QueryEditor } from "./editor";
import { Graph } from "./graph";
import { How } from "./how";
import { ResultTable } from "./table";

const LEAST_POINTS = 100;
const PX_A_POINT = 4;

type Result =
  | { readonly kind: "graph"; readonly expr: string; readonly steps: Steps; readonly answer: Answer<RangeResult> }
  | { readonly kind: "table"; readonly expr: string; readonly answer: Answer<InstantResult> };

interface Properties {
  readonly number: number;
  readonly panel: PanelState;
  readonly time: TimeState;
  /** Goes up when everything is to be asked again. */
  readonly round: number;
  readonly isOnly: boolean;
  readonly onDraft: (expr: string) => void;
  readonly onRun: () => void;
  readonly onPanel: (panel: PanelState) => void;
  readonly onTime: (time: TimeState) => void;
  readonly onRemove: () => void;
}

async function resultOf(panel: PanelState, time: TimeState, explained: boolean, signal: AbortSignal): Promise<Result> {
  const end = time.end ?? Date.now();
  const { expr } = panel;
  if (panel.tab === "table") return { kind: "table", expr, answer: await queryAt(expr, end, signal) };
  const points = Math.max(LEAST_POINTS, Math.floor(innerWidth / PX_A_POINT));
  const steps = stepsOf(end, time.rangeMs, time.stepMs ?? niceStep(time.rangeMs, points));
  return { kind: "graph", expr, steps, answer: await queryOver(expr, steps, explained, signal) };
}

export function Panel(properties: Properties): JSX.Element {
  const { panel, time, round } = properties;
  const [isExplained, setExplained] = useState(false);
  const isAsked = panel.expr.trim() !== "";
  const key = JSON.stringify([panel.expr, panel.tab, time.rangeMs, time.end, time.stepMs, round, isExplained]);
  const loaded = useLoaded<Result>(
    key,
    isAsked ? (signal) => resultOf(panel, time, isExplained, signal) : null,
    0,
    true,
  );
  const result = loaded.value?.kind === panel.tab ? loaded.value : null;
  // what another query gave is not shown under the error of this one
  const shown = loaded.error !== null && result?.expr !== panel.expr ? null : result;
  return (
    <section class="panel" aria-label={`Query ${properties.number}`} aria-busy={loaded.isLoading}>
      <Box {...properties} />
      <Tabs {...properties} result={shown} isLoading={loaded.isLoading} />
      {loaded.error !== null && <Trouble error={loaded.error} isOld={shown !== null} />}
      {shown !== null && <Remarks warnings={shown.answer.warnings} infos={shown.answer.infos} />}
      <div class={loaded.isLoading ? "result-area loading" : "result-area"}>
        {shown !== null && <Shown result={shown} panel={panel} time={time} onTime={properties.onTime} />}
      </div>
      {shown?.kind === "graph" && (
        <How explain={shown.answer.explain} isLoading={loaded.isLoading} onOpen={setExplained} />
      )}
    </section>
  );
}

function Box(properties: Properties): JSX.Element {
  const { panel, number } = properties;
  const [draft, setDraft] = useState(panel.expr);
  const change = (text: string): void => {
    setDraft(text);
    properties.onDraft(text);
  };
  const format = async (): Promise<void> => {
    try {
      properties.onPanel({ ...panel, expr: await formatQuery(draft) });
    } catch {
      // its fault is underlined already
    }
  };
  return (
    <div class="box">
      <QueryEditor
        text={panel.expr}
        label={`Query ${number}, PromQL`}
        isFirst={number === 1}
        onRun={properties.onRun}
        onChange={change}
      />
      <button class="quiet" onClick={() => void format()} disabled={draft.trim() === ""} title="Lay the query out">
        Format
      </button>
      {!properties.isOnly && (
        <button class="quiet" onClick={properties.onRemove} aria-label={`Remove query ${number}`} title="Remove">
          ✕
        </button>
      )}
    </div>
  );
}

function Tabs(properties: Properties & { readonly result: Result | null; readonly isLoading: boolean }): JSX.Element {
  const { panel, onPanel, result } = properties;
  return (
    <div class="panel-bar">
      <Choice
        label="Shown as"
        value={panel.tab}
        choices={[
          ["graph", "Graph"],
          ["table", "Table"],
        ]}
        onChange={(tab) => onPanel({ ...panel, tab })}
      />
      {panel.tab === "graph" && (
        <>
          <Toggle text="Stacked" isOn={panel.stacked} onChange={(stacked) => onPanel({ ...panel, stacked })} />
          <Toggle text="From 0" isOn={panel.fromZero} onChange={(fromZero) => onPanel({ ...panel, fromZero })} />
        </>
      )}
      <span class="figures" role="status">
        {properties.isLoading ? "…" : result === null ? "" : figures(result)}
      </span>
    </div>
  );
}

function Toggle(props: {
  readonly text: string;
  readonly isOn: boolean;
  readonly onChange: (isOn: boolean) => void;
}): JSX.Element {
  return (
    <button class="toggle" aria-pressed={props.isOn} onClick={() => props.onChange(!props.isOn)}>
      {props.text}
    </button>
  );
}

function figures(result: Result): string {
  const took = seconds(result.answer.took);
  const { data } = result.answer;
  if (result.kind === "graph") {
    const { start, end, step } = result.steps;
    const points = counted((end - start) / step + 1, "point", "points");
    return `${counted(data.result.length, "series", "series")} · ${points} · step ${formatDuration(step)} · ${took}`;
  }
  const isList = data.resultType === "vector" || data.resultType === "matrix";
  return isList ? `${counted(data.result.length, "series", "series")} · ${took}` : took;
}

function Shown(props: {
  readonly result: Result;
  readonly panel: PanelState;
  readonly time: TimeState;
  readonly onTime: (time: TimeState) => void;
}): JSX.Element {
  const { result, panel, time, onTime } = props;
  if (result.kind === "table") return <ResultTable result={result.answer.data} />;
  const series = result.answer.data.result;
  if (series.length === 0) return <Notice tone="plain">No series has a value in this range.</Notice>;
  return (
    <Graph
      series={series}
      steps={result.steps}
      isStacked={panel.stacked}
      isFromZero={panel.fromZero}
      onZoom={(from, to) => onTime(chosen(time, from, to))}
      onZoomOut={() => onTime(zoomed(time, 2, Date.now()))}
    />
  );
}
