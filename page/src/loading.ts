/** Things that are asked for, now and again every so often. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";

/** value: the newest there is, also while another one is on its way or when that failed. */
export interface Loaded<T> {
  readonly value: T | null;
  readonly error: Error | null;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

interface State<T> {
  readonly key: string;
  readonly value: T | null;
  readonly error: Error | null;
  readonly isLoading: boolean;
}

/**
 * @param key what is asked for: another key asks anew and forgets what the old one gave, unless `keepsOld`.
 * @param load gives it; null asks for nothing.
 * @param everyMs asks again so long after each answer while somebody looks at the page; 0 for never.
 */
export function useLoaded<T>(
  key: string,
  load: ((signal: AbortSignal) => Promise<T>) | null,
  everyMs = 0,
  keepsOld = false,
): Loaded<T> {
  const [state, setState] = useState<State<T>>({ key, value: null, error: null, isLoading: load !== null });
  const [round, setRound] = useState(0);
  const newest = useRef(load);
  newest.current = load;
  const isWanted = load !== null;

  useEffect(() => {
    const wanted = newest.current;
    if (wanted === null) {
      setState({ key, value: null, error: null, isLoading: false });
      return undefined;
    }
    const ending = new AbortController();
    setState((old) => ({
      key,
      value: old.key === key || keepsOld ? old.value : null,
      error: old.key === key ? old.error : null,
      isLoading: true,
    }));
    wanted(ending.signal).then(
      (value) => {
        if (!ending.signal.aborted) setState({ key, value, error: null, isLoading: false });
      },
      (error: unknown) => {
        if (ending.signal.aborted) return;
        const fault = error instanceof Error ? error : new Error(String(error));
        setState((old) => ({ key, value: old.value, error: fault, isLoading: false }));
      },
    );
    return () => ending.abort();
  }, [key, round, isWanted, keepsOld]);

  const reload = useCallback(() => setRound((before) => before + 1), []);
  useEvery(isWanted && !state.isLoading ? everyMs : 0, reload, round);
  return { value: state.value, error: state.error, isLoading: state.isLoading, reload };
}

/** Do something after so many ms, at once on return to a page that was hidden then; 0 for never. */
export function useEvery(everyMs: number, act: () => void, round: number): void {
  useEffect(() => {
    if (everyMs === 0) return undefined;
    let isDue = false;
    const look = (): void => {
      if (isDue && !document.hidden) {
        isDue = false;
        act();
      }
    };
    const timer = setTimeout(() => {
      isDue = true;
      look();
    }, everyMs);
    document.addEventListener("visibilitychange", look);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
    };
  }, [everyMs, act, round]);
}
