/** What a reader has chosen for all views; kept in this browser. */

import { useEffect, useState } from "preact/hooks";
import type { Zone } from "./time";

export type ThemeChoice = "auto" | "light" | "dark";
export type Theme = "light" | "dark";

/** A choice with a name of its own among those of this origin. */
class Setting<T extends string> {
  private readonly listeners = new Set<(value: T) => void>();

  constructor(
    private readonly name: string,
    private readonly choices: readonly [T, ...T[]],
  ) {}

  get value(): T {
    const stored = this.stored();
    return this.choices.find((choice) => choice === stored) ?? this.choices[0];
  }

  set(value: T): void {
    try {
      localStorage.setItem(this.key, value);
    } catch {
      // a browser that keeps nothing forgets the choice with the page
    }
    for (const listener of this.listeners) listener(value);
  }

  /** The choice after the present one. */
  next(): T {
    return this.choices[(this.choices.indexOf(this.value) + 1) % this.choices.length] ?? this.choices[0];
  }

  subscribe(listener: (value: T) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  private get key(): string {
    return `streamgauge.${this.name}`;
  }

  private stored(): string | null {
    try {
      return localStorage.getItem(this.key);
    } catch {
      return null;
    }
  }
}

export const themeChoice = new Setting<ThemeChoice>("theme", ["auto", "light", "dark"]);
export const zoneChoice = new Setting<Zone>("zone", ["local", "utc"]);
export const shortcutChoice = new Setting<"on" | "off">("shortcuts", ["on", "off"]);

/** The value of a setting, also when it changes. */
export function useSetting<T extends string>(setting: Setting<T>): T {
  const [value, setValue] = useState(setting.value);
  useEffect(() => setting.subscribe(setValue), [setting]);
  return value;
}

const system = matchMedia("(prefers-color-scheme: dark)");

function themeOf(choice: ThemeChoice): Theme {
  if (choice !== "auto") return choice;
  return system.matches ? "dark" : "light";
}

/** Let the page look as chosen, now and whenever that changes. */
export function applyTheme(): void {
  const apply = (choice: ThemeChoice): void => {
    document.documentElement.dataset["theme"] = choice;
  };
  apply(themeChoice.value);
  themeChoice.subscribe(apply);
}

/** Whether what is drawn on a canvas has to be light or dark. */
export function useTheme(): Theme {
  const choice = useSetting(themeChoice);
  const [theme, setTheme] = useState(themeOf(choice));
  useEffect(() => {
    const look = (): void => setTheme(themeOf(choice));
    look();
    system.addEventListener("change", look);
    return () => system.removeEventListener("change", look);
  }, [choice]);
  return theme;
}
