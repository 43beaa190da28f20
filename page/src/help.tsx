/** Which keys there are, and whether they act. */

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { shortcutChoice, useSetting } from "./settings";

const KEYS: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  [
    "Everywhere",
    [
      ["1 to 6", "go to a view"],
      ["?", "this list"],
    ],
  ],
  [
    "Query",
    [
      ["/", "into the query"],
      ["r", "run all queries again"],
      ["g, t", "graph, table"],
      ["+, −", "zoom in, out"],
      ["[, ]", "earlier, later"],
      ["0", "end the range now"],
    ],
  ],
  [
    "In the query",
    [
      ["Enter", "run"],
      ["Shift+Enter", "new line"],
      ["Tab, ↓", "take a completion, choose another"],
      ["Ctrl+Space", "show completions"],
      ["Esc", "close them; again: leave the query"],
    ],
  ],
  [
    "Graph",
    [
      ["drag", "zoom to a part"],
      ["double click", "zoom out"],
      ["click on a legend entry", "show only that; again: show all"],
      ["Ctrl+click or Shift+click", "hide or show that"],
    ],
  ],
];

/** The dialog; it is there while it is open. */
export function Help({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const isOn = useSetting(shortcutChoice) === "on";
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={onClose}>
      <header>
        <h2 id="help-title">Keyboard and mouse</h2>
        <form method="dialog">
          <button class="quiet">Close</button>
        </form>
      </header>
      <div class="help-columns">
        {KEYS.map(([title, keys]) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {keys.map(([key, what]) => (
                <div key={key}>
                  <dt>
                    <kbd>{key}</kbd>
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <label class="check">
        <input
          type="checkbox"
          checked={isOn}
          onChange={(event) => shortcutChoice.set(event.currentTarget.checked ? "on" : "off")}
        />
        Single keys act while nothing is typed
      </label>
    </dialog>
  );
}
