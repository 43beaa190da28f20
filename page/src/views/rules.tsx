/** Every rule that is applied, by its group, and how its evaluation does. */

import type { JSX } from "preact";
import { useLoaded } from "../loading";
import { useParameter } from "../navigation";
import { counted, seconds } from "../numbers";
import { Ago, Choice, Head, LabelList, Notice, Remarks, Search, State, Trouble, holds } from "../parts";
import type { Rule, RuleGroup } from "../status_types";
import { formatDuration } from "../time";
import { EVERY_MS, Expression, Health, askRules, textsOf } from "./rule_parts";

function wanted(groups: readonly RuleGroup[], text: string, health: string): RuleGroup[] {
  return groups
    .map((group) => ({
      ...group,
      rules: group.rules.filter(
        (rule) =>
          (health === "" || rule.health === health) && holds(text, group.name, group.file, ...textsOf(rule)),
      ),
    }))
    .filter(({ rules }) => rules.length > 0);
}

export function RulesView(): JSX.Element {
  const [text, setText] = useParameter("text");
  const [health, setHealth] = useParameter("health");
  const loaded = useLoaded("rules", (signal) => askRules("", signal), EVERY_MS);
  const groups = loaded.value?.data.groups ?? [];
  const rules = groups.flatMap((group) => group.rules);
  const failing = rules.filter((rule) => rule.health === "err").length;
  const found = wanted(groups, text, health);
  const now = Date.now();
  return (
    <>
      <Head
        title="Rules"
        figures={`${counted(rules.length, "rule", "rules")} in ${counted(groups.length, "group", "groups")}`}
      >
        <Choice
          label="Health"
          value={health}
          choices={[
            ["", "all"],
            ["err", `in error ${failing}`],
          ]}
          onChange={setHealth}
        />
        <Search value={text} label="name, label or expression" onChange={setText} />
      </Head>
      {loaded.error !== null && <Trouble error={loaded.error} isOld={loaded.value !== null} />}
      <Remarks warnings={loaded.value?.warnings ?? []} />
      {found.map((group) => (
        <Group key={`${group.file}//${group.name}`} group={group} now={now} />
      ))}
      {loaded.value !== null && found.length === 0 && (
        <Notice tone="plain">
          {rules.length === 0 ? "No rules are applied: `streamgauge rules apply FILE` does." : "No rule is like that."}
        </Notice>
      )}
    </>
  );
}

function Group({ group, now }: { readonly group: RuleGroup; readonly now: number }): JSX.Element {
  return (
    <section class="group">
      <h2>
        {group.file}/{group.name}
        <span class="dim">
          {` every ${formatDuration(group.interval * 1000)} · took ${seconds(group.evaluationTime)} · evaluated `}
          <Ago at={group.lastEvaluation} now={now} />
        </span>
      </h2>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>Rule</th>
              <th>Expression</th>
              <th>State</th>
              <th class="number">Took</th>
            </tr>
          </thead>
          <tbody>
            {group.rules.map((rule, at) => (
              <RuleRow key={at} rule={rule} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function RuleRow({ rule }: { readonly rule: Rule }): JSX.Element {
  return (
    <tr>
      <td>
        <b>{rule.name}</b> <span class="dim">{rule.type === "recording" ? "records" : "alerts"}</span>{" "}
        <LabelList labels={rule.labels} />
      </td>
      <td>
        <Expression rule={rule} />
        <Health rule={rule} />
      </td>
      <td>
        <State state={rule.health === "err" ? "error" : rule.type === "alerting" ? rule.state : rule.health} />
      </td>
      <td class="number">{seconds(rule.evaluationTime)}</td>
    </tr>
  );
}
