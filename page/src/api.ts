/** The gateway's API, below the folder that this page is in, so that a proxy may put both anywhere. */

import type { Labels } from "./labels";
import type { Point, RangeSeries, Steps } from "./series";

/** took: seconds from the question to the whole answer. explain: how it was found, where the gateway tells it. */
export interface Answer<T> {
  readonly data: T;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  readonly explain: unknown;
  readonly took: number;
}

/** Why there is no answer. kind: the `errorType`, or `not_found`, `unreachable`, `malformed`. */
export class ApiError extends Error {
  constructor(
    readonly kind: string,
    message: string,
  ) {
    super(message);
  }
}

export type Parameters = Readonly<Record<string, string | readonly string[]>>;

interface Document {
  readonly status?: string;
  readonly data?: unknown;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
  readonly explain?: unknown;
  readonly errorType?: string;
  readonly error?: string;
}

function form(parameters: Parameters): URLSearchParams {
  const pairs = Object.entries(parameters).flatMap(([name, given]) =>
    (typeof given === "string" ? [given] : given).map((value) => [name, value]),
  );
  return new URLSearchParams(pairs);
}

async function answerOf(path: string, url: string, request: RequestInit): Promise<Document> {
  let response: Response;
  try {
    response = await fetch(url, request);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("unreachable", "The gateway does not answer.");
  }
  if (response.status === 404) throw new ApiError("not_found", `This gateway has no /api/v1/${path}.`);
  const text = await response.text();
  try {
    return JSON.parse(text) as Document;
  } catch {
    throw new ApiError("malformed", `HTTP ${response.status} ${response.statusText}: ${text.slice(0, 200)}`);
  }
}

/**
 * Ask; throws ApiError, or AbortError when the signal says so. POST is for queries, which may be long.
 */
export async function ask<T>(
  path: string,
  parameters: Parameters = {},
  options: { method?: "GET" | "POST"; signal?: AbortSignal } = {},
): Promise<Answer<T>> {
  const began = performance.now();
  const said = form(parameters);
  const signal = options.signal ?? null;
  const isPost = options.method === "POST";
  const url = `api/v1/${path}${isPost || said.size === 0 ? "" : `?${said.toString()}`}`;
  const document = await answerOf(path, url, isPost ? { method: "POST", body: said, signal } : { signal });
  if (document.status !== "success") {
    throw new ApiError(document.errorType ?? "malformed", document.error ?? "an answer of no known form");
  }
  return {
    data: document.data as T,
    warnings: document.warnings ?? [],
    infos: document.infos ?? [],
    explain: document.explain,
    took: (performance.now() - began) / 1000,
  };
}

export interface Instant {
  readonly metric: Labels;
  readonly value: Point;
}

export interface InstantPoint {
  readonly resultType: "scalar" | "string";
  readonly result: Point;
}

export type InstantSeries =
  | { readonly resultType: "vector"; readonly result: readonly Instant[] }
  | { readonly resultType: "matrix"; readonly result: readonly RangeSeries[] };

export type InstantResult = InstantPoint | InstantSeries;

export interface RangeResult {
  readonly resultType: "matrix";
  readonly result: readonly RangeSeries[];
}

export function queryAt(expr: string, time: number, signal: AbortSignal): Promise<Answer<InstantResult>> {
  return ask("query", { query: expr, time: String(time / 1000) }, { method: "POST", signal });
}

/** @param explained whether the answer should tell how it was found. */
export function queryOver(
  expr: string,
  steps: Steps,
  explained: boolean,
  signal: AbortSignal,
): Promise<Answer<RangeResult>> {
  const parameters = {
    query: expr,
    start: String(steps.start / 1000),
    end: String(steps.end / 1000),
    step: String(steps.step / 1000),
    ...(explained ? { explain: "1" } : {}),
  };
  return ask("query_range", parameters, { method: "POST", signal });
}

/** The query laid out for people; throws ApiError with the place of a fault. */
export async function formatQuery(expr: string, signal?: AbortSignal): Promise<string> {
  const options = signal === undefined ? { method: "POST" as const } : { method: "POST" as const, signal };
  return (await ask<string>("format_query", { query: expr }, options)).data;
}
