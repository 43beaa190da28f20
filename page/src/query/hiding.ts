/** Which series of a graph are hidden, by name. */

/** What is hidden after a click: all others, or none where they were; with a modifier only that one changes. */
export function hiddenAfter(
  names: readonly string[],
  hidden: ReadonlySet<string>,
  name: string,
  isOnlyThat: boolean,
): ReadonlySet<string> {
  if (isOnlyThat) {
    return hidden.has(name) ? new Set([...hidden].filter((each) => each !== name)) : new Set([...hidden, name]);
  }
  const others = names.filter((each) => each !== name);
  const isAlone = !hidden.has(name) && others.every((each) => hidden.has(each));
  return new Set(isAlone ? [] : others);
}
