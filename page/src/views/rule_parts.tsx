/** What alerts and rules show alike. */

import type { JSX } from "preact";
import { type Answer, ask } from "../api";
import type { Labels } from "../labels";
import { Link } from "../navigation";
import { LabelList } from "../parts";
import type { Alert, Rule, RuleGroup } from "../status_types";
import { graphLink } from "../url_state";
import { Ago } from "../parts";

export const EVERY_MS = 5000;

export interface Groups {
  readonly groups: readonly RuleGroup[];
}

/** kind: as the API's `type`. */
export function askRules(kind: "alert" | "", signal: AbortSignal): Promise<Answer<Groups>> {
  return ask<Groups>("rules", kind === "" ? {} : { type: kind }, { signal });
}

/** The expression of a rule, which leads to its query; one in SQL to those of the samples that it reads. */
export function Expression({ rule }: { readonly rule: Rule }): JSX.Element {
  const queries = rule.samples ?? [rule.query];
  const text = <code>{rule.query}</code>;
  if (queries.length === 0) return <span class="expression">{text}</span>;
  return (
    <Link class="expression" href={graphLink(queries, "table")} title={rule.samples ? "Query its samples" : "Query this"}>
      {text}
    </Link>
  );
}

/** Annotations: each name with its text. */
export function Annotations({ annotations }: { readonly annotations: Labels }): JSX.Element | null {
  const names = Object.keys(annotations).sort();
  if (names.length === 0) return null;
  return (
    <dl class="annotations">
      {names.map((name) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{annotations[name]}</dd>
        </div>
      ))}
    </dl>
  );
}

/** The alerts of a rule, those that fire first. */
export function ActiveAlerts({ alerts, now }: { readonly alerts: readonly Alert[]; readonly now: number }): JSX.Element {
  const sorted = [...alerts].sort((a, b) => (a.state === b.state ? 0 : a.state === "firing" ? -1 : 1));
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>State</th>
            <th>Labels</th>
            <th>Summary</th>
            <th class="number">Active</th>
            <th class="number">Value</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((alert) => (
            <tr key={JSON.stringify(alert.labels)}>
              <td>
                <span class={`state ${alert.state}`}>{alert.state}</span>
              </td>
              <td>
                <LabelList labels={withoutName(alert.labels)} />
              </td>
              <td>{alert.annotations["summary"] ?? alert.annotations["description"] ?? ""}</td>
              <td class="number">
                <Ago at={alert.activeAt} now={now} />
              </td>
              <td class="number">{String(Number(alert.value))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function withoutName(labels: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => name !== "alertname"));
}

/** The texts in which a rule is looked for. */
export function textsOf(rule: Rule): string[] {
  const labels = Object.entries(rule.labels).map(([name, value]) => `${name}=${value}`);
  const alerts = rule.type === "alerting" ? (rule.alerts ?? []) : [];
  const active = alerts.flatMap((each) => Object.entries(each.labels).map(([name, value]) => `${name}=${value}`));
  return [rule.name, rule.query, ...labels, ...active];
}

/** The fault of a rule's last evaluation. */
export function Health({ rule }: { readonly rule: Rule }): JSX.Element | null {
  if (rule.lastError === undefined || rule.lastError === "") return null;
  return <p class="fault">{rule.lastError}</p>;
}
