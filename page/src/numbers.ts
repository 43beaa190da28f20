/** Numbers for people. */

const LARGE = ["", "k", "M", "G", "T", "P", "E"] as const;
const BYTES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** What Prometheus's JSON means: `NaN` and `+Inf` are numbers too. */
export function parseValue(text: string): number {
  if (text === "+Inf") return Infinity;
  return text === "-Inf" ? -Infinity : Number(text);
}

/** At most five digits, with k, M, G... where that is shorter: for axes, legends and tables of figures. */
export function short(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-4 || size >= 1e21) return value.toExponential(3).replace(/\.?0+e/, "e");
  if (size < 10_000) return plain(value);
  // what rounds to 1000 of a unit is 1 of the next
  let scale = Math.floor(Math.log10(size) / 3);
  if (Number((size / 1000 ** scale).toPrecision(4)) >= 1000) scale += 1;
  return `${Number((value / 1000 ** scale).toPrecision(4))}${LARGE[scale] ?? ""}`;
}

function plain(value: number): string {
  return String(Number(value.toPrecision(5)));
}

/** Thousands apart: 1 234 567. */
export function grouped(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** Bytes in the largest unit that leaves at least 1. */
export function bytes(count: number): string {
  const scale = count < 1 ? 0 : Math.min(Math.floor(Math.log2(count) / 10), BYTES.length - 1);
  return `${Number((count / 1024 ** scale).toPrecision(3))} ${BYTES[scale] ?? ""}`;
}

/** So much of so many things: `1 series`, `20 points`. */
export function counted(count: number, one: string, many: string): string {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}

/** Seconds as ms or s. */
export function seconds(value: number): string {
  return value < 1 ? `${Number((value * 1000).toPrecision(3))} ms` : `${Number(value.toPrecision(3))} s`;
}
