/** The point nearest to the pointer. */

import type { JSX } from "preact";
import type { Labels } from "../labels";
import { LabelList } from "../parts";
import type { Column } from "../series";
import { useSetting, useTheme, zoneChoice } from "../settings";
import { formatMoment } from "../time";
import { lineColour } from "./palette";
import type { Pointed } from "./plot";

interface Properties {
  readonly pointed: Pointed;
  readonly column: Column | undefined;
  readonly times: readonly number[];
  readonly labels: Labels | undefined;
}

const AXIS_PX = 64;

/** Beside the pointer, on the side where there is more room. */
export function Tooltip({ pointed, column, times, labels }: Properties): JSX.Element | null {
  const zone = useSetting(zoneChoice);
  const theme = useTheme();
  const time = times[pointed.at];
  const value = column?.[pointed.at];
  if (time === undefined || value === null || value === undefined) return null;
  const isLeft = pointed.left > innerWidth / 2;
  const x = pointed.left + AXIS_PX;
  return (
    <div
      class="tooltip"
      style={{
        top: `${pointed.top + 12}px`,
        ...(isLeft ? { right: `calc(100% - ${x - 12}px)` } : { left: `${x + 12}px` }),
      }}
    >
      <div class="tooltip-value">
        <i class="swatch" style={{ background: lineColour(theme, pointed.series ?? 0) }} />
        <b>{String(value)}</b>
        <time>{formatMoment(time * 1000, zone)}</time>
      </div>
      <LabelList labels={labels ?? {}} />
    </div>
  );
}
