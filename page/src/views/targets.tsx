/** What is scraped, and how that goes. */

import type { JSX } from "preact";
import { ask } from "../api";
import { useLoaded } from "../loading";
import { useParameter } from "../navigation";
import { counted, seconds } from "../numbers";
import { Ago, Choice, Head, LabelList, Notice, Remarks, Search, State, Trouble, holds } from "../parts";
import type { Target } from "../status_types";

const EVERY_MS = 5000;

interface Targets {
  readonly activeTargets: readonly Target[];
}

function pools(targets: readonly Target[]): [string, Target[]][] {
  const byPool = new Map<string, Target[]>();
  for (const target of targets) {
    const pool = byPool.get(target.scrapePool);
    if (pool === undefined) byPool.set(target.scrapePool, [target]);
    else pool.push(target);
  }
  return [...byPool].sort(([a], [b]) => (a < b ? -1 : 1));
}

export function TargetsView(): JSX.Element {
  const [text, setText] = useParameter("text");
  const [health, setHealth] = useParameter("health");
  const loaded = useLoaded("targets", (signal) => ask<Targets>("targets", { state: "active" }, { signal }), EVERY_MS);
  const all = loaded.value?.data.activeTargets ?? [];
  const found = all.filter(
    (target) =>
      (health === "" || target.health === health) &&
      holds(text, target.scrapeUrl, target.lastError, ...Object.entries(target.labels).map(([name, value]) => `${name}=${value}`)),
  );
  const down = all.filter((target) => target.health === "down").length;
  const now = Date.now();
  return (
    <>
      <Head title="Targets" figures={counted(all.length, "target", "targets")}>
        <Choice
          label="Health"
          value={health}
          choices={[
            ["", "all"],
            ["up", `up ${all.filter((target) => target.health === "up").length}`],
            ["down", `down ${down}`],
          ]}
          onChange={setHealth}
        />
        <Search value={text} label="address, label or error" onChange={setText} />
      </Head>
      {loaded.error !== null && <Trouble error={loaded.error} isOld={loaded.value !== null} />}
      <Remarks warnings={loaded.value?.warnings ?? []} />
      {pools(found).map(([name, targets]) => (
        <Pool key={name} name={name} targets={targets} now={now} />
      ))}
      {loaded.value !== null && found.length === 0 && (
        <Notice tone="plain">
          {all.length === 0
            ? "Nothing is scraped: collector.scrape_config names the file that says what to scrape."
            : "No target is like that."}
        </Notice>
      )}
    </>
  );
}

function Pool(props: { readonly name: string; readonly targets: readonly Target[]; readonly now: number }): JSX.Element {
  const up = props.targets.filter((target) => target.health === "up").length;
  return (
    <section class="group">
      <h2>
        {props.name}
        <span class={up < props.targets.length ? "bad" : "dim"}>{` ${up} of ${props.targets.length} up`}</span>
      </h2>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>Health</th>
              <th>Address</th>
              <th>Labels</th>
              <th class="number">Scraped</th>
              <th class="number">Took</th>
              <th>Error</th>
            </tr>
          </thead>
          <tbody>
            {props.targets.map((target) => (
              <tr key={`${target.scrapeUrl} ${JSON.stringify(target.labels)}`}>
                <td>
                  <State state={target.health} />
                </td>
                <td>
                  <code>{target.scrapeUrl}</code>
                </td>
                <td>
                  <LabelList labels={target.labels} />
                </td>
                <td class="number">
                  <Ago at={target.lastScrape} now={props.now} />
                </td>
                <td class="number">{seconds(target.lastScrapeDuration)}</td>
                <td class="fault">{target.lastError}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
