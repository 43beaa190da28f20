/** The jobs and how far behind they are. */

import type { JSX } from "preact";
import { ask } from "../api";
import { useLoaded } from "../loading";
import { bytes, counted, grouped, seconds } from "../numbers";
import { Ago, Head, Notice, Remarks, State, Trouble } from "../parts";
import type { Job, Jobs, Progress } from "../status_types";
import { roughly } from "../time";

const EVERY_MS = 5000;
const LATE_S = 30;

interface Build {
  readonly version: string;
  readonly revision: string;
}

export function StatusView(): JSX.Element {
  const loaded = useLoaded("jobs", (signal) => ask<Jobs>("status/jobs", {}, { signal }), EVERY_MS);
  const build = useLoaded("build", (signal) => ask<Build>("status/buildinfo", {}, { signal }));
  const jobs = loaded.value?.data.jobs ?? null;
  const progress = loaded.value?.data.progress ?? null;
  const now = Date.now();
  return (
    <>
      <Head
        title="Status"
        figures={
          build.value !== null && `${build.value.data.revision} · API of Prometheus ${build.value.data.version}`
        }
      />
      {loaded.error !== null && <Trouble error={loaded.error} isOld={loaded.value !== null} />}
      <Remarks warnings={loaded.value?.warnings ?? []} />
      {jobs !== null && (
        <section class="group">
          <h2>
            Jobs <span class="dim">{counted(jobs.length, "job", "jobs")}</span>
          </h2>
          {jobs.length === 0 ? <Notice tone="plain">Flink runs no jobs.</Notice> : <JobTable jobs={jobs} now={now} />}
        </section>
      )}
      {progress !== null && (
        <section class="group">
          <h2>
            Rolled up <span class="dim">how far the lane that is furthest behind is</span>
          </h2>
          <ProgressTable progress={progress} now={now} />
        </section>
      )}
    </>
  );
}

function JobTable({ jobs, now }: { readonly jobs: readonly Job[]; readonly now: number }): JSX.Element {
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th>State</th>
            <th>Job</th>
            <th class="number">Since</th>
            <th class="number">Behind the clock</th>
            <th class="number">Batches waiting</th>
            <th class="number">Restarts</th>
            <th>Last checkpoint</th>
            <th>Last failure</th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <tr key={job.id}>
              <td>
                <State state={job.state} />
              </td>
              <td>
                <b class="name">{job.name}</b>
              </td>
              <td class="number">
                <Ago at={job.since} now={now} />
              </td>
              <td class={`number${(job.watermarkLag ?? 0) > LATE_S ? " bad" : ""}`}>
                {job.watermarkLag === null ? "–" : roughly(job.watermarkLag * 1000)}
              </td>
              <td class="number">{job.pendingRecords === null ? "–" : grouped(job.pendingRecords)}</td>
              <td class="number">{job.restarts}</td>
              <td>
                <Checkpoints checkpoints={job.checkpoints} now={now} />
              </td>
              <td class="fault">{job.lastFailure}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Checkpoints({ checkpoints, now }: Pick<Job, "checkpoints"> & { readonly now: number }): JSX.Element {
  const { last, completed, failed } = checkpoints;
  const counts = `${grouped(completed)} done${failed > 0 ? `, ${grouped(failed)} failed` : ""}`;
  if (last === null) return <span class="dim">{counts}</span>;
  return (
    <>
      <Ago at={last.at} now={now} />
      <span class="dim">{` in ${seconds(last.duration)}, ${bytes(last.size)}; ${counts}`}</span>
    </>
  );
}

function ProgressTable({ progress, now }: { readonly progress: readonly Progress[]; readonly now: number }): JSX.Element {
  return (
    <div class="scroll">
      <table class="narrow">
        <thead>
          <tr>
            <th>Resolution</th>
            <th class="number">Lanes</th>
            <th class="number">Sealed up to</th>
            <th class="number">Lanes apart</th>
          </tr>
        </thead>
        <tbody>
          {progress.map((each) => (
            <tr key={each.resolution}>
              <td>{each.resolution}</td>
              <td class="number">{each.lanes}</td>
              <td class="number">
                <Ago at={each.sealedTo} now={now} />
              </td>
              <td class="number">{roughly(Date.parse(each.newestSealedTo) - Date.parse(each.sealedTo))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
