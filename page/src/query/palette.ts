/** Colours of what is drawn on a canvas, where style sheets do not reach. */

import type { Theme } from "../settings";

interface Palette {
  readonly axis: string;
  readonly grid: string;
  readonly lines: readonly string[];
}

/** Lines stand at least 3:1 against the ground, neighbours apart in hue and in lightness. */
const PALETTES: Readonly<Record<Theme, Palette>> = {
  light: {
    axis: "#4a5259",
    grid: "#e3e6e8",
    lines: [
      "#0b7285", "#c2410c", "#5f3dc4", "#2b8a3e", "#c2255c", "#1864ab",
      "#8a6d00", "#862e9c", "#087f5b", "#d6336c", "#4263eb", "#7c4a21",
    ],
  },
  dark: {
    axis: "#a9b3bb",
    grid: "#2a3036",
    lines: [
      "#3bc9db", "#ff922b", "#b197fc", "#69db7c", "#f783ac", "#74c0fc",
      "#ffd43b", "#e599f7", "#38d9a9", "#ff8787", "#91a7ff", "#d9a679",
    ],
  },
};

/** The colours for a theme. */
export function palette(theme: Theme): Palette {
  return PALETTES[theme];
}

/** The colour of a series by its place among them. */
export function lineColour(theme: Theme, at: number): string {
  const { lines } = PALETTES[theme];
  return lines[at % lines.length] ?? "#888";
}
