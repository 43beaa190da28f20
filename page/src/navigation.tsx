/** Which view is shown, as the address says it, without loading the page anew. */

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

export const VIEWS = {
  graph: "Query",
  alerts: "Alerts",
  rules: "Rules",
  targets: "Targets",
  cardinality: "Cardinality",
  status: "Status",
} as const;

export type View = keyof typeof VIEWS;

/** search: the part from `?` on, which each view reads in its own way. */
export interface Place {
  readonly view: View;
  readonly search: string;
}

type Listener = (place: Place) => void;

const listeners = new Set<Listener>();
const left: Partial<Record<View, string>> = {};

/** The view of a path: its last part, which may be below any folder. */
export function viewOf(path: string): View {
  const last = path.slice(path.lastIndexOf("/") + 1);
  return Object.hasOwn(VIEWS, last) ? (last as View) : "graph";
}

function here(): Place {
  return { view: viewOf(location.pathname), search: location.search };
}

/** Where a link to a view leads: to what was looked at there last. */
export function hrefOf(view: View): string {
  return `${view}${left[view] ?? ""}`;
}

function tell(): void {
  const place = here();
  left[place.view] = place.search;
  for (const listener of listeners) listener(place);
}

addEventListener("popstate", tell);
left[here().view] = here().search;

/** Go to an address relative to this one. `replace`: the button "back" passes over the place that is left. */
export function go(href: string, options: { replace?: boolean } = {}): void {
  const url = new URL(href, document.baseURI);
  if (url.href === location.href) return;
  if (options.replace === true) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  tell();
}

/** Where we are, also when that changes. */
export function usePlace(): Place {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    listeners.add(setPlace);
    return () => void listeners.delete(setPlace);
  }, []);
  return place;
}

/** A parameter of the address of a view, and how to change it; empty means it is not there. */
export function useParameter(name: string): [string, (value: string) => void] {
  const { search } = usePlace();
  const change = (value: string): void => {
    const said = new URLSearchParams(location.search);
    if (value) said.set(name, value);
    else said.delete(name);
    go(`${location.pathname}${said.size ? `?${said.toString()}` : ""}`, { replace: true });
  };
  return [new URLSearchParams(search).get(name) ?? "", change];
}

interface LinkProperties {
  readonly href: string;
  readonly children: ComponentChildren;
  readonly class?: string;
  readonly title?: string;
  readonly "aria-label"?: string;
  readonly "aria-current"?: "page" | "false";
}

/** A link inside the page; with Ctrl, Shift or the middle button the browser does what it always does. */
export function Link({ href, children, ...rest }: LinkProperties): JSX.Element {
  const follow = (event: MouseEvent): void => {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(href);
  };
  return (
    <a {...rest} href={href} onClick={follow}>
      {children}
    </a>
  );
}
