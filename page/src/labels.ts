/** Label sets: their text in PromQL, and what several have in common. */

export type Labels = Readonly<Record<string, string>>;

export const METRIC = "__name__";

const PLAIN_LABEL = /^[A-Za-z_][A-Za-z0-9_]*$/;
const PLAIN_METRIC = /^[A-Za-z_:][A-Za-z0-9_:]*$/;

/** A text as a PromQL string. */
export function quoted(text: string): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  return `"${escaped}"`;
}

/** A label as it stands in a selector: `job="node"`. */
export function matcher(name: string, value: string): string {
  return `${PLAIN_LABEL.test(name) ? name : quoted(name)}=${quoted(value)}`;
}

/** The selector that selects exactly these labels, such as `up{job="node"}`; `{}` for none. */
export function seriesText(labels: Labels): string {
  const metric = labels[METRIC] ?? "";
  const rest = Object.keys(labels)
    .filter((name) => name !== METRIC)
    .sort()
    .map((name) => matcher(name, labels[name] ?? ""));
  if (metric !== "" && !PLAIN_METRIC.test(metric)) return `{${[quoted(metric), ...rest].join(", ")}}`;
  return rest.length || metric === "" ? `${metric}{${rest.join(", ")}}` : metric;
}

/** The labels that all have with the same value; none of no label sets. */
export function commonLabels(sets: readonly Labels[]): Labels {
  const [first, ...others] = sets;
  if (first === undefined) return {};
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((each) => each[name] === value)),
  );
}

/** The labels without those that have the same value in `common`. */
export function without(labels: Labels, common: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([name, value]) => common[name] !== value));
}

/** Every name that any has, the metric's first, then by the alphabet. */
export function namesOf(sets: readonly Labels[]): string[] {
  const names = new Set(sets.flatMap((each) => Object.keys(each)));
  return [...names].sort((a, b) => Number(b === METRIC) - Number(a === METRIC) || (a < b ? -1 : 1));
}
