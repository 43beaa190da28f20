/** The shapes of what the views besides the query show, as the API gives them. */

import type { Labels } from "./labels";

export interface Alert {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly state: "pending" | "firing";
  readonly activeAt: string;
  readonly value: string;
}

interface RuleBase {
  readonly name: string;
  readonly query: string;
  /** Of a rule in SQL: what it reads, as PromQL. */
  readonly samples?: readonly string[];
  readonly labels: Labels;
  readonly health: string;
  readonly lastError?: string;
  readonly evaluationTime: number;
  readonly lastEvaluation: string;
}

export interface AlertingRule extends RuleBase {
  readonly type: "alerting";
  readonly state: "firing" | "pending" | "inactive" | "unknown";
  readonly duration: number;
  readonly keepFiringFor: number;
  readonly annotations: Labels;
  readonly alerts: readonly Alert[] | null;
}

export interface RecordingRule extends RuleBase {
  readonly type: "recording";
}

export type Rule = AlertingRule | RecordingRule;

export interface RuleGroup {
  readonly name: string;
  readonly file: string;
  readonly rules: readonly Rule[];
  readonly interval: number;
  readonly evaluationTime: number;
  readonly lastEvaluation: string;
}

export interface Target {
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly labels: Labels;
  readonly health: "up" | "down" | "unknown";
  readonly lastError: string;
  readonly lastScrape: string;
  readonly lastScrapeDuration: number;
  readonly scrapeInterval?: string;
}

export interface Counted {
  readonly name: string;
  readonly value: number;
}

export interface Cardinality {
  readonly headStats?: { readonly numSeries: number; readonly numLabelPairs: number };
  readonly seriesCountByMetricName: readonly Counted[];
  readonly labelValueCountByLabelName: readonly Counted[];
  readonly seriesCountByLabelValuePair: readonly Counted[];
  readonly memoryInBytesByLabelName?: readonly Counted[];
}

/** Times are RFC 3339, durations seconds, sizes bytes; null where Flink does not say. */
export interface Job {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly since: string;
  readonly restarts: number;
  readonly lastFailure: string;
  readonly checkpoints: {
    readonly completed: number;
    readonly failed: number;
    readonly last: { readonly at: string; readonly duration: number; readonly size: number } | null;
  };
  readonly watermark: string | null;
  readonly watermarkLag: number | null;
  readonly pendingRecords: number | null;
}

/** How far the lanes are rolled up: the one that is furthest behind, and the one that is furthest. */
export interface Progress {
  readonly resolution: string;
  readonly lanes: number;
  readonly sealedTo: string;
  readonly newestSealedTo: string;
  readonly lag: number;
}

export interface Jobs {
  readonly jobs: readonly Job[] | null;
  readonly progress: readonly Progress[] | null;
}
