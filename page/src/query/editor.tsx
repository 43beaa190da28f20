/** The query box. */

import type { EditorView } from "@codemirror/view";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { createEditor, replaceText } from "./editor_setup";

interface Properties {
  readonly text: string;
  readonly label: string;
  /** Whether the cursor is put into it when it appears. */
  readonly isFirst: boolean;
  readonly onRun: (text: string) => void;
  readonly onChange: (text: string) => void;
}

/** An editor with `text`, which is put into it again only when that changes. */
export function QueryEditor({ text, label, isFirst, onRun, onChange }: Properties): JSX.Element {
  const parent = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const events = useRef({ onRun, onChange });
  events.current = { onRun, onChange };

  useEffect(() => {
    if (parent.current === null) return undefined;
    const made = createEditor(parent.current, text, label, {
      onRun: (said) => events.current.onRun(said),
      onChange: (said) => events.current.onChange(said),
    });
    view.current = made;
    if (isFirst && text === "") made.focus();
    return () => made.destroy();
    // it lives as long as its panel; what changes is put into it below
  }, []);

  useEffect(() => {
    if (view.current !== null) replaceText(view.current, text);
  }, [text]);

  return <div class="editor" ref={parent} />;
}
