/** Which time all queries look at, and how often they look again. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Choice } from "../parts";
import { shifted, zoomed } from "../range";
import { useSetting, zoneChoice } from "../settings";
import { formatDuration, formatMoment, parseDuration, parseMoment } from "../time";
import type { TimeState } from "../url_state";

const RANGES = ["5m", "15m", "1h", "6h", "1d", "7d", "30d"] as const;
const REFRESHES = ["5s", "10s", "30s", "1m", "5m"] as const;

interface Properties {
  readonly time: TimeState;
  readonly onTime: (time: TimeState) => void;
  readonly onRun: () => void;
}

/** The bar above all queries. */
export function TimeBar({ time, onTime, onRun }: Properties): JSX.Element {
  const zone = useSetting(zoneChoice);
  const range = formatDuration(time.rangeMs);
  const set = (changed: Partial<TimeState>): void => onTime({ ...time, ...changed });
  return (
    <div class="time-bar" role="toolbar" aria-label="Time">
      <Choice
        label="Range"
        value={range}
        choices={RANGES.map((each) => [each as string, each])}
        onChange={(text) => set({ rangeMs: parseDuration(text) ?? time.rangeMs })}
      />
      <Field
        label="Range"
        text={range}
        read={(text) => parseDuration(text) ?? undefined}
        wanted="a duration such as 90m or 1d12h"
        size={7}
        onRead={(rangeMs) => set({ rangeMs })}
      />
      <Field
        label="Until"
        text={time.end === null ? "now" : formatMoment(time.end, zone)}
        read={(text) => (text.trim() === "now" ? null : (parseMoment(text, Date.now(), zone) ?? undefined))}
        wanted="now, now-6h, or 2026-11-24 10:05"
        size={19}
        onRead={(end) => set({ end })}
      />
      <div class="choice" role="group" aria-label="Move">
        <button title="Earlier  [" aria-label="Earlier" onClick={() => onTime(shifted(time, -1, Date.now()))}>
          ←
        </button>
        <button
          title="Later  ]"
          aria-label="Later"
          disabled={time.end === null}
          onClick={() => onTime(shifted(time, 1, Date.now()))}
        >
          →
        </button>
        <button title="Zoom out  −" aria-label="Zoom out" onClick={() => onTime(zoomed(time, 2, Date.now()))}>
          −
        </button>
        <button title="Zoom in  +" aria-label="Zoom in" onClick={() => onTime(zoomed(time, 0.5, Date.now()))}>
          +
        </button>
        <button title="End now  0" disabled={time.end === null} onClick={() => set({ end: null })}>
          now
        </button>
      </div>
      <Field
        label="Step"
        text={time.stepMs === null ? "auto" : formatDuration(time.stepMs)}
        read={(text) => (text.trim() === "auto" || text.trim() === "" ? null : (parseDuration(text) ?? undefined))}
        wanted="auto, or a duration such as 30s"
        size={5}
        onRead={(stepMs) => set({ stepMs })}
      />
      <label class="field">
        <span>Refresh</span>
        <select
          value={time.refreshMs === 0 ? "off" : formatDuration(time.refreshMs)}
          onChange={(event) => set({ refreshMs: parseDuration(event.currentTarget.value) ?? 0 })}
        >
          {refreshChoices(time.refreshMs).map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </label>
      <button class="primary" onClick={onRun} title="Enter in the query, r elsewhere">
        Run
      </button>
    </div>
  );
}

/** An address may ask for another interval than those that are offered. */
function refreshChoices(refreshMs: number): string[] {
  const offered: string[] = ["off", ...REFRESHES];
  const given = formatDuration(refreshMs);
  return refreshMs === 0 || offered.includes(given) ? offered : [...offered, given];
}

/** A text that is taken with Enter or on leaving the field; what cannot be read says what is wanted. */
function Field<T>(props: {
  readonly label: string;
  readonly text: string;
  /** Gives undefined for what it cannot read. */
  readonly read: (text: string) => T | undefined;
  readonly wanted: string;
  readonly size: number;
  readonly onRead: (value: T) => void;
}): JSX.Element {
  const [draft, setDraft] = useState(props.text);
  const [isWrong, setWrong] = useState(false);
  const reset = (): void => {
    setDraft(props.text);
    setWrong(false);
  };
  useEffect(reset, [props.text]);
  const take = (): void => {
    if (draft === props.text) return setWrong(false);
    const value = props.read(draft);
    setWrong(value === undefined);
    if (value !== undefined) props.onRead(value);
  };
  return (
    <label class="field">
      <span>{props.label}</span>
      <input
        value={draft}
        size={props.size}
        spellcheck={false}
        aria-invalid={isWrong}
        title={props.wanted}
        onInput={(event) => setDraft(event.currentTarget.value)}
        onBlur={take}
        onKeyDown={(event) => {
          if (event.key === "Enter") take();
          if (event.key === "Escape") reset();
        }}
      />
      {isWrong && (
        <em class="wanted" role="alert">
          {`Wanted: ${props.wanted}`}
        </em>
      )}
    </label>
  );
}
