/** Small parts that several views share. */

import type { ComponentChildren, JSX } from "preact";
import { ApiError } from "./api";
import type { Labels } from "./labels";
import { METRIC } from "./labels";
import { useSetting, zoneChoice } from "./settings";
import { formatMoment, roughly } from "./time";

type Tone = "error" | "warning" | "info" | "plain";

/** Something to be read before the rest. */
export function Notice({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }): JSX.Element {
  return (
    <div class={`notice ${tone}`} role={tone === "error" ? "alert" : "status"}>
      {children}
    </div>
  );
}

/** What went wrong, in the gateway's words. A part of the API that is not there is no fault. */
export function Trouble({ error, isOld }: { readonly error: Error; readonly isOld?: boolean }): JSX.Element {
  const kind = error instanceof ApiError ? error.kind : "page";
  const rest = isOld === true ? " What is shown is from before." : "";
  if (kind === "not_found") {
    return <Notice tone="plain">{`${error.message} It is of a version that does not have this yet.`}</Notice>;
  }
  return (
    <Notice tone="error">
      <b>{kind.replaceAll("_", " ")}</b> {error.message}
      {rest}
    </Notice>
  );
}

/** Warnings and infos of an answer. */
export function Remarks(props: {
  readonly warnings: readonly string[];
  readonly infos?: readonly string[];
}): JSX.Element | null {
  const lines = [
    ...props.warnings.map((text) => ["warning", text] as const),
    ...(props.infos ?? []).map((text) => ["info", text] as const),
  ];
  if (lines.length === 0) return null;
  return (
    <>
      {lines.map(([tone, text]) => (
        <Notice key={text} tone={tone}>
          {text}
        </Notice>
      ))}
    </>
  );
}

/** Labels as name=value, the names quieter than the values. */
export function LabelList({ labels }: { readonly labels: Labels }): JSX.Element {
  const names = Object.keys(labels).sort();
  return (
    <span class="labels">
      {names.map((name) => (
        <span class="label" key={name}>
          <span class="label-name">{name === METRIC ? "" : `${name}=`}</span>
          <span class={name === METRIC ? "metric" : "label-value"}>{labels[name]}</span>
        </span>
      ))}
    </span>
  );
}

/** How long ago, with the moment for who points at it. now: ms. at: RFC 3339. */
export function Ago({ at, now }: { readonly at: string; readonly now: number }): JSX.Element {
  const zone = useSetting(zoneChoice);
  const moment = Date.parse(at);
  if (Number.isNaN(moment) || moment <= 0) return <span class="dim">never</span>;
  return (
    <time dateTime={at} title={formatMoment(moment, zone)}>
      {roughly(Math.max(now - moment, 0))} ago
    </time>
  );
}

/** A state in a word and a colour. */
export function State({ state }: { readonly state: string }): JSX.Element {
  return <span class={`state ${state.toLowerCase()}`}>{state}</span>;
}

/** A field that leaves out what does not hold its text. */
export function Search(props: {
  readonly value: string;
  readonly label: string;
  readonly onChange: (value: string) => void;
}): JSX.Element {
  return (
    <input
      type="search"
      class="search"
      value={props.value}
      placeholder={props.label}
      aria-label={props.label}
      spellcheck={false}
      onInput={(event) => props.onChange(event.currentTarget.value)}
    />
  );
}

/** One of several; which one is in the address or a setting. */
export function Choice<T extends string>(props: {
  readonly label: string;
  readonly value: T;
  readonly choices: readonly (readonly [T, ComponentChildren])[];
  readonly onChange: (value: T) => void;
}): JSX.Element {
  return (
    <div class="choice" role="group" aria-label={props.label}>
      {props.choices.map(([value, text]) => (
        <button
          key={value}
          type="button"
          aria-pressed={value === props.value}
          onClick={() => props.onChange(value)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

/** The head of a view: its title, a sentence on what is there, and what changes it. */
export function Head(props: {
  readonly title: string;
  readonly children?: ComponentChildren;
  readonly figures?: ComponentChildren;
}): JSX.Element {
  return (
    <header class="view-head">
      <h1>{props.title}</h1>
      <span class="figures">{props.figures}</span>
      <span class="controls">{props.children}</span>
    </header>
  );
}

/** Whether a text is in any of these, in any case. */
export function holds(wanted: string, ...texts: readonly string[]): boolean {
  const small = wanted.trim().toLowerCase();
  return small === "" || texts.some((text) => text.toLowerCase().includes(small));
}
