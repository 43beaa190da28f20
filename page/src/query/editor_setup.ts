/** The editor of a query: CodeMirror with what a line of PromQL needs, and no more. */

import {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionStatus,
  moveCompletionSelection,
  selectedCompletion,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from "@codemirror/commands";
import { HighlightStyle, bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { lintKeymap } from "@codemirror/lint";
import { EditorState, type Extension, Prec } from "@codemirror/state";
import { EditorView, drawSelection, keymap, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { promql } from "./language";

/** The colours are in the style sheet, which knows light and dark. */
const HIGHLIGHT = HighlightStyle.define([
  { tag: tags.number, class: "tok-number" },
  { tag: tags.string, class: "tok-string" },
  { tag: tags.labelName, class: "tok-label" },
  { tag: tags.function(tags.variableName), class: "tok-function" },
  { tag: [tags.operatorKeyword, tags.modifier, tags.keyword], class: "tok-keyword" },
  { tag: [tags.operator, tags.logicOperator], class: "tok-operator" },
  { tag: tags.comment, class: "tok-comment" },
  { tag: tags.invalid, class: "tok-invalid" },
]);

export interface EditorEvents {
  readonly onRun: (text: string) => void;
  readonly onChange: (text: string) => void;
}

/** A first Tab chooses the first completion and takes it; without completions Tab leaves the editor as everywhere. */
function takeCompletion(view: EditorView): boolean {
  if (completionStatus(view.state) !== "active") return false;
  if (selectedCompletion(view.state) === null) moveCompletionSelection(true)(view);
  return acceptCompletion(view);
}

function leave(view: EditorView): boolean {
  view.contentDOM.blur();
  return true;
}

function keys(events: EditorEvents): Extension {
  const run = (view: EditorView): boolean => {
    events.onRun(view.state.doc.toString());
    return true;
  };
  return [
    Prec.high(
      keymap.of([
        { key: "Tab", run: takeCompletion },
        { key: "Enter", run },
        { key: "Mod-Enter", run },
        { key: "Shift-Enter", run: insertNewlineAndIndent },
      ]),
    ),
    keymap.of([...closeBracketsKeymap, ...historyKeymap, ...lintKeymap, ...defaultKeymap]),
    Prec.lowest(keymap.of([{ key: "Escape", run: leave }])),
  ];
}

/** Styles that CodeMirror makes are allowed by the nonce that the page was served with. */
function nonce(): string {
  return document.querySelector<HTMLScriptElement>("script[src]")?.nonce ?? "";
}

/** An editor in an element. label: what screen readers call it. */
export function createEditor(parent: HTMLElement, text: string, label: string, events: EditorEvents): EditorView {
  const state = EditorState.create({
    doc: text,
    extensions: [
      EditorView.cspNonce.of(nonce()),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", autocapitalize: "off" }),
      history(),
      drawSelection(),
      bracketMatching(),
      closeBrackets(),
      // Enter runs what is written, unless a completion was chosen
      autocompletion({ selectOnOpen: false, interactionDelay: 0 }),
      syntaxHighlighting(HIGHLIGHT),
      placeholder("PromQL, such as rate(requests_total[5m])"),
      promql(),
      keys(events),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) events.onChange(update.state.doc.toString());
      }),
    ],
  });
  return new EditorView({ state, parent });
}

/** Show another text, as one change that can be undone. */
export function replaceText(view: EditorView, text: string): void {
  if (view.state.doc.toString() === text) return;
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}
