/** The view of queries: one range of time, and any number of queries over it. */

import type { JSX } from "preact";
import { useCallback, useMemo, useRef, useState } from "preact/hooks";
import { useEvery } from "../loading";
import { go, usePlace } from "../navigation";
import { shifted, zoomed } from "../range";
import { useShortcuts } from "../shortcuts";
import { EMPTY_PANEL, type PanelState, type QueryState, type Tab, type TimeState, decode, encode } from "../url_state";
import { Panel } from "./panel";
import { TimeBar } from "./time_bar";

const EXAMPLES = [
  "up",
  "sum by (job) (rate(streamgauge_collector_samples_received_total[1m]))",
  "histogram_quantile(0.99, sum by (le, handler) (rate(streamgauge_gateway_request_seconds_bucket[5m])))",
] as const;

export function QueryView(): JSX.Element {
  const { search } = usePlace();
  const state = useMemo(() => decode(search), [search]);
  const [round, setRound] = useState(0);
  // what stands in each editor, whether it was run or not
  const drafts = useRef<Record<number, string>>({});
  const { panels, time } = state;

  const show = (changed: Partial<QueryState>): void => go(`graph?${encode({ ...state, ...changed })}`);
  const setTime = (changed: TimeState): void => show({ time: changed });
  const again = useCallback(() => setRound((before) => before + 1), []);
  const run = (): void => {
    const asked = panels.map((panel, at) => ({ ...panel, expr: drafts.current[at] ?? panel.expr }));
    if (encode({ panels: asked, time }) === encode(state)) again();
    else show({ panels: asked });
  };
  const setPanels = (changed: readonly PanelState[]): void => show({ panels: changed });
  const setTab = (tab: Tab): void => setPanels(panels.map((panel) => ({ ...panel, tab })));

  useEvery(time.end === null ? time.refreshMs : 0, again, round);
  useShortcuts({
    "/": () => document.querySelector<HTMLElement>(".cm-content")?.focus(),
    r: run,
    g: () => setTab("graph"),
    t: () => setTab("table"),
    "+": () => setTime(zoomed(time, 0.5, Date.now())),
    "-": () => setTime(zoomed(time, 2, Date.now())),
    "[": () => setTime(shifted(time, -1, Date.now())),
    "]": () => setTime(shifted(time, 1, Date.now())),
    "0": () => setTime({ ...time, end: null }),
  });

  return (
    <>
      <h1 class="hidden">Query</h1>
      <TimeBar time={time} onTime={setTime} onRun={run} />
      {panels.map((panel, at) => (
        <Panel
          key={at}
          number={at + 1}
          panel={panel}
          time={time}
          round={round}
          isOnly={panels.length === 1}
          onDraft={(expr) => (drafts.current[at] = expr)}
          onRun={run}
          onPanel={(changed) => {
            const expr = changed.expr === panel.expr ? (drafts.current[at] ?? panel.expr) : changed.expr;
            setPanels(panels.with(at, { ...changed, expr }));
          }}
          onTime={setTime}
          onRemove={() => {
            delete drafts.current[panels.length - 1];
            setPanels(panels.toSpliced(at, 1));
          }}
        />
      ))}
      <div class="below">
        <button class="quiet" onClick={() => setPanels([...panels, EMPTY_PANEL])}>
          + Add a query
        </button>
        {panels.every(({ expr }) => expr === "") && <Examples onChoose={(expr) => setPanels([{ ...EMPTY_PANEL, expr }])} />}
      </div>
    </>
  );
}

function Examples({ onChoose }: { readonly onChoose: (expr: string) => void }): JSX.Element {
  return (
    <div class="examples">
      <span class="dim">For example</span>
      {EXAMPLES.map((expr) => (
        <button key={expr} class="text" onClick={() => onChoose(expr)}>
          {expr}
        </button>
      ))}
    </div>
  );
}
