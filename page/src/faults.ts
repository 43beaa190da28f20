/** Where in a query the gateway's parser found a fault. */

/** from, to: places in the text as JavaScript counts; they differ. */
export interface Fault {
  readonly from: number;
  readonly to: number;
  readonly message: string;
}

const PLACED = /^(?:invalid parameter "\w+(?:\[\])?": )?(\d+):(\d+): (?:parse error: )?([\s\S]*)$/;
const UNPLACED = /^(?:invalid parameter "\w+(?:\[\])?": )?(?:unknown position: )?(?:parse error: )?([\s\S]*)$/;
const WORD = /[A-Za-z_:][A-Za-z0-9_:]*|\d[\w.]*|\s+|./uy;

/** The fault of an error message such as `1:4: parse error: ...`; the whole query where it names no place. */
export function faultOf(message: string, query: string): Fault {
  const placed = PLACED.exec(message);
  if (placed === null) {
    return { from: 0, to: query.length, message: UNPLACED.exec(message)?.[1] ?? message };
  }
  const start = offsetOf(query, Number(placed[1]), Number(placed[2]));
  return { ...wordAt(query, start), message: placed[3] ?? "" };
}

/** The place of line and column, both from 1, where columns count bytes of UTF-8 as Prometheus's do. */
export function offsetOf(query: string, line: number, column: number): number {
  let offset = 0;
  for (let at = 1; at < line; at += 1) {
    const next = query.indexOf("\n", offset);
    if (next < 0) break;
    offset = next + 1;
  }
  let bytes = 1;
  for (const character of query.slice(offset)) {
    if (bytes >= column) break;
    bytes += new TextEncoder().encode(character).length;
    offset += character.length;
  }
  return offset;
}

/** The word at a place; at the end, where something is missing, the last one. */
function wordAt(query: string, offset: number): { from: number; to: number } {
  if (offset >= query.length) {
    const last = /\S\s*$/.exec(query);
    return { from: last?.index ?? 0, to: Math.max(query.length, 1) };
  }
  WORD.lastIndex = offset;
  const word = WORD.exec(query);
  return { from: offset, to: offset + (word?.[0].length ?? 1) };
}

/**
 * What is shown: the gateway's parser is the one that counts, the editor's own grammar knows more exactly how far a
 * fault reaches, and stands in while the gateway says nothing.
 *
 * @param said null: the query is good; undefined: the gateway does not say.
 */
export function judged(own: readonly Fault[], said: Fault | null | undefined): readonly Fault[] {
  if (said === undefined) return own;
  if (said === null) return [];
  const same = own.find((each) => each.from <= said.to && said.from <= each.to && each.to > each.from);
  return [same === undefined ? said : { from: same.from, to: same.to, message: said.message }];
}
