/** PromQL in the editor: completion from what the gateway knows, and its parser's faults at their place. */

import { type Diagnostic, linter } from "@codemirror/lint";
import type { Extension } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import { PromQLExtension } from "@prometheus-io/codemirror-promql";
import { ApiError, formatQuery } from "../api";
import { type Fault, faultOf, judged } from "../faults";

const LINT_AFTER_MS = 300;
const MOST_DESCRIBED = 10_000;

/** The grammar, what completes it, and what underlines its faults. */
export function promql(): Extension {
  const language = new PromQLExtension().activateLinter(false).setComplete({
    remote: { url: "", apiPrefix: "api/v1", httpMethod: "GET" },
    maxMetricsMetadata: MOST_DESCRIBED,
  });
  return [language.asExtension(), linter(faultsIn(language), { delay: LINT_AFTER_MS })];
}

function faultsIn(language: PromQLExtension): (view: EditorView) => Promise<Diagnostic[]> {
  const grammar = language.getLinter();
  const lint = grammar.promQL.call(grammar);
  return async (view) => {
    const query = view.state.doc.toString();
    if (query.trim() === "") return [];
    const own = (await lint(view)).map(({ from, to, message }) => ({ from, to, message }));
    const found = judged(own, await gatewayFault(query));
    return found.map((fault) => diagnostic(fault, query));
  };
}

/** What the gateway says of a query: null that it is good, undefined nothing. */
async function gatewayFault(query: string): Promise<Fault | null | undefined> {
  try {
    await formatQuery(query);
    return null;
  } catch (error) {
    if (error instanceof ApiError && error.kind === "bad_data") return faultOf(error.message, query);
    return undefined;
  }
}

function diagnostic(fault: Fault, query: string): Diagnostic {
  const to = Math.min(Math.max(fault.to, fault.from + 1), query.length);
  return { from: Math.min(fault.from, Math.max(to - 1, 0)), to, severity: "error", message: fault.message };
}
