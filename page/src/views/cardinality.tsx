/** Where series come from: metrics, labels and pairs with the most, and the labels of one metric. */

import type { JSX } from "preact";
import { ask } from "../api";
import { labelShares } from "../cardinality";
import { type Labels, METRIC, matcher, seriesText } from "../labels";
import { useLoaded } from "../loading";
import { Link, useParameter } from "../navigation";
import { counted, grouped } from "../numbers";
import { Head, Notice, Remarks, Trouble } from "../parts";
import type { Cardinality, Counted } from "../status_types";
import { graphLink } from "../url_state";

const LIMIT = 20;
const MOST_SERIES = 20_000;

export function CardinalityView(): JSX.Element {
  const [metric, setMetric] = useParameter("metric");
  const loaded = useLoaded("tsdb", (signal) => ask<Cardinality>("status/tsdb", { limit: String(LIMIT) }, { signal }));
  const found = loaded.value?.data;
  const total = found?.headStats?.numSeries;
  return (
    <>
      <Head title="Cardinality" figures={total === undefined ? "" : counted(total, "series", "series")}>
        <MetricField metric={metric} onMetric={setMetric} />
        <button class="quiet" onClick={loaded.reload}>
          Count again
        </button>
      </Head>
      {loaded.error !== null && <Trouble error={loaded.error} />}
      <Remarks warnings={loaded.value?.warnings ?? []} />
      {metric !== "" && <OneMetric key={metric} metric={metric} onClose={() => setMetric("")} />}
      {found !== undefined && (
        <div class="cards">
          <Top title="Series by metric" counts={found.seriesCountByMetricName} unit="series" total={total} onChoose={setMetric} />
          <Top title="Values by label" counts={found.labelValueCountByLabelName} unit="values" />
          <Top title="Series by label and value" counts={found.seriesCountByLabelValuePair} unit="series" total={total} />
        </div>
      )}
    </>
  );
}

function MetricField(props: { readonly metric: string; readonly onMetric: (metric: string) => void }): JSX.Element {
  return (
    <form
      class="field"
      onSubmit={(event) => {
        event.preventDefault();
        props.onMetric(String(new FormData(event.currentTarget).get("metric") ?? "").trim());
      }}
    >
      <input name="metric" key={props.metric} defaultValue={props.metric} placeholder="a metric" aria-label="Metric to look into" spellcheck={false} />
      <button class="quiet">Look into</button>
    </form>
  );
}

function Top(props: {
  readonly title: string;
  readonly counts: readonly Counted[];
  readonly unit: string;
  readonly total?: number | undefined;
  readonly onChoose?: (name: string) => void;
}): JSX.Element {
  const { counts, onChoose, total } = props;
  const most = Math.max(...counts.map(({ value }) => value), 1);
  return (
    <section class="group">
      <h2>{props.title}</h2>
      {counts.length === 0 ? (
        <Notice tone="plain">There are none.</Notice>
      ) : (
        <table>
          <tbody>
            {counts.map(({ name, value }) => (
              <tr key={name}>
                <td>
                  {onChoose === undefined ? (
                    <code>{name}</code>
                  ) : (
                    <button class="text" onClick={() => onChoose(name)}>
                      {name}
                    </button>
                  )}
                  <Share part={value / most} />
                </td>
                <td class="number">
                  {grouped(value)}
                  {total !== undefined && total > 0 && <span class="dim">{` ${percent(value / total)}`}</span>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function percent(part: number): string {
  return `${Number((part * 100).toPrecision(2))} %`;
}

function Share({ part }: { readonly part: number }): JSX.Element {
  return <meter class="share" value={part} min={0} max={1} aria-hidden="true" />;
}

function OneMetric({ metric, onClose }: { readonly metric: string; readonly onClose: () => void }): JSX.Element {
  const loaded = useLoaded(metric, (signal) =>
    ask<readonly Labels[]>("series", { "match[]": `{${matcher(METRIC, metric)}}`, limit: String(MOST_SERIES) }, { signal }),
  );
  const series = loaded.value?.data;
  const shares = labelShares(series ?? []);
  return (
    <section class="group one-metric" aria-busy={loaded.isLoading}>
      <h2>
        <Link href={graphLink(seriesText({ [METRIC]: metric }))}>{metric}</Link>
        <span class="dim">
          {series !== undefined && ` ${counted(series.length, "series", "series")} in the last 24 hours`}
        </span>
        <button class="quiet" onClick={onClose} aria-label="Close">
          ✕
        </button>
      </h2>
      {loaded.error !== null && <Trouble error={loaded.error} />}
      <Remarks warnings={loaded.value?.warnings ?? []} />
      {series !== undefined && series.length === 0 && <Notice tone="plain">There are no series of this metric.</Notice>}
      {shares.length > 0 && (
        <table>
          <thead>
            <tr>
              <th>Label</th>
              <th class="number">Values</th>
              <th>Most series</th>
            </tr>
          </thead>
          <tbody>
            {shares.map(({ name, values, top }) => (
              <tr key={name}>
                <td>
                  <code>{name}</code>
                </td>
                <td class="number">{grouped(values)}</td>
                <td>
                  {top.map(([value, count]) => (
                    <Link key={value} class="pair" href={graphLink(`{${matcher(METRIC, metric)}, ${matcher(name, value)}}`)}>
                      {value} <span class="dim">{grouped(count)}</span>
                    </Link>
                  ))}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
