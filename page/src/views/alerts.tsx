/** Which alerts there are: a line a rule, what fires first, the rest when somebody wants it. */

import type { JSX } from "preact";
import { useLoaded } from "../loading";
import { useParameter } from "../navigation";
import { counted } from "../numbers";
import { Choice, Head, LabelList, Notice, Remarks, Search, State, Trouble, holds } from "../parts";
import type { AlertingRule, RuleGroup } from "../status_types";
import { formatDuration } from "../time";
import { ActiveAlerts, Annotations, EVERY_MS, Expression, Health, askRules, textsOf } from "./rule_parts";

const STATES = ["firing", "pending", "inactive"] as const;
const RANKS: Readonly<Record<string, number>> = { firing: 0, pending: 1, unknown: 2, inactive: 3 };

interface Placed {
  readonly rule: AlertingRule;
  readonly group: RuleGroup;
}

function alertingRules(groups: readonly RuleGroup[]): Placed[] {
  return groups
    .flatMap((group) => group.rules.flatMap((rule) => (rule.type === "alerting" ? [{ rule, group }] : [])))
    .sort((a, b) => rankOf(a) - rankOf(b));
}

function rankOf({ rule }: Placed): number {
  return RANKS[rule.state] ?? 2;
}

export function AlertsView(): JSX.Element {
  const [state, setState] = useParameter("state");
  const [text, setText] = useParameter("text");
  const loaded = useLoaded("alerts", (signal) => askRules("alert", signal), EVERY_MS);
  const all = alertingRules(loaded.value?.data.groups ?? []);
  const found = all.filter(({ rule }) => (state === "" || rule.state === state) && holds(text, ...textsOf(rule)));
  const now = Date.now();
  return (
    <>
      <Head title="Alerts" figures={counted(all.length, "rule", "rules")}>
        <Choice
          label="State"
          value={state}
          choices={[
            ["", "all"],
            ...STATES.map(
              (each) => [each as string, `${each} ${all.filter(({ rule }) => rule.state === each).length}`] as const,
            ),
          ]}
          onChange={setState}
        />
        <Search value={text} label="name, label or expression" onChange={setText} />
      </Head>
      {loaded.error !== null && <Trouble error={loaded.error} isOld={loaded.value !== null} />}
      <Remarks warnings={loaded.value?.warnings ?? []} />
      <div class="rows">
        {found.map((placed) => (
          <AlertRow key={`${placed.group.file} ${placed.group.name} ${placed.rule.name} ${placed.rule.query}`} {...placed} now={now} />
        ))}
      </div>
      {loaded.value !== null && found.length === 0 && (
        <Notice tone="plain">
          {all.length === 0 ? "No alerting rules are applied: `streamgauge rules apply FILE` does." : "No rule is like that."}
        </Notice>
      )}
    </>
  );
}

function AlertRow({ rule, group, now }: Placed & { readonly now: number }): JSX.Element {
  const alerts = rule.alerts ?? [];
  const isActive = rule.state === "firing" || rule.state === "pending";
  return (
    <details class={`row ${rule.state}`} open={isActive}>
      <summary>
        <State state={rule.state} />
        <b>{rule.name}</b>
        <span class="dim count">{alerts.length > 0 ? counted(alerts.length, "alert", "alerts") : ""}</span>
        <LabelList labels={rule.labels} />
        {rule.health === "err" && <span class="state err">error</span>}
        <span class="dim place">{`${group.file}/${group.name}`}</span>
      </summary>
      <Health rule={rule} />
      {alerts.length > 0 && <ActiveAlerts alerts={alerts} now={now} />}
      <div class="details">
        <Expression rule={rule} />
        <span class="dim">
          {rule.duration > 0 && `for ${formatDuration(rule.duration * 1000)} `}
          {rule.keepFiringFor > 0 && `keep firing for ${formatDuration(rule.keepFiringFor * 1000)}`}
        </span>
        <Annotations annotations={rule.annotations} />
      </div>
    </details>
  );
}
