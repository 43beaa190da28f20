/** Durations and moments as people write them. All numbers are ms, moments those of the epoch. */

export type Zone = "local" | "utc";

const UNITS: readonly (readonly [string, number])[] = [
  ["y", 31_536_000_000],
  ["w", 604_800_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];
const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const RELATIVE = /^now(?:\s*-\s*(.+))?$/;
const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?)?(Z|[+-]\d\d:\d\d)?$/;

/** `1h30m` as ms, null for what is no duration or none that lasts. */
export function parseDuration(text: string): number | null {
  const parts = DURATION.exec(text.trim());
  if (parts === null) return null;
  const total = UNITS.reduce((sum, [, width], at) => sum + Number(parts[at + 1] ?? 0) * width, 0);
  return total > 0 ? total : null;
}

/** As short as `parseDuration` reads it back; whole ms. Weeks and years are written as days, as most people do. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms);
  let text = "";
  for (const [unit, width] of UNITS.slice(2)) {
    const count = Math.floor(rest / width);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * width;
  }
  return text || "0s";
}

/** How long ago or how long, in one or two units: `12 s`, `3 min`, `2 h 5 min`, `4 d 3 h`. */
export function roughly(ms: number): string {
  const seconds = Math.abs(ms) / 1000;
  if (seconds < 10) return `${Number(seconds.toPrecision(2))} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${hours / 24} d`;
}

/** A moment: `now`, `now-6h`, seconds of the epoch, or a date with or without a time of day. Null if it is none. */
export function parseMoment(text: string, now: number, zone: Zone): number | null {
  const trimmed = text.trim();
  const relative = RELATIVE.exec(trimmed);
  if (relative !== null) {
    if (relative[1] === undefined) return now;
    const ago = parseDuration(relative[1]);
    return ago === null ? null : now - ago;
  }
  if (/^\d{9,11}(\.\d+)?$/.test(trimmed)) return Math.round(Number(trimmed) * 1000);
  return parseDate(trimmed, zone);
}

function parseDate(text: string, zone: Zone): number | null {
  const found = DATE.exec(text);
  if (found === null) return null;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number, number, number, number, number, number,
  ];
  const rest = Number((found[7] ?? "0").padEnd(3, "0"));
  const named = found[8];
  const inUtc = Date.UTC(year, month - 1, day, hour, minute, second, rest);
  const made = new Date(inUtc);
  // 31 February would become a day of March
  if (made.getUTCMonth() !== month - 1 || made.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) return null;
  if (named !== undefined) return inUtc - offsetOf(named);
  return zone === "utc" ? inUtc : new Date(year, month - 1, day, hour, minute, second, rest).getTime();
}

function offsetOf(zone: string): number {
  if (zone === "Z") return 0;
  const sign = zone.startsWith("-") ? -1 : 1;
  return sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6))) * 60_000;
}

/** `2026-11-24 10:05:00`, with ms if there are any. */
export function formatMoment(ms: number, zone: Zone): string {
  const shifted = zone === "utc" ? ms : ms - new Date(ms).getTimezoneOffset() * 60_000;
  const text = new Date(shifted).toISOString().replace("T", " ").replace("Z", "");
  return text.endsWith(".000") ? text.slice(0, -4) : text;
}

const NICE_STEPS: readonly number[] = [
  1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200, 86_400,
].map((seconds) => seconds * 1000);

/** The shortest step that people would choose, of a second at least, which gives at most so many points. */
export function niceStep(rangeMs: number, points: number): number {
  const least = rangeMs / points;
  const day = 86_400_000;
  return NICE_STEPS.find((step) => step >= least) ?? Math.ceil(least / day) * day;
}
