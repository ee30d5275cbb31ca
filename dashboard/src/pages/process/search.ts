/**
 * Looks through a log from where it is loaded to its beginning, in pieces, for lines that a reader wants to see. Only those are kept. It stops
 * when there are as many as fit on a screen, and goes on when it is asked to.
 */

import { useCallback, useEffect, useRef, useState } from "react";
import type { Line } from "./lines";
import { read } from "./logs";
import { lookUp } from "./lookup";

/** As many lines are looked for at once. */
const SCREEN = 200;

/** As many are kept. */
const MOST = 5000;

/** As soon as a reader has not typed for so long, ms. */
const PAUSE = 350;

export interface Search {
  /** What was found above the part that is loaded, in the order of the file. */
  found: readonly Line[];
  /** Above it nothing was looked at yet; 0: all was, `null`: there is nothing to look for. */
  from: number | null;
  running: boolean;
  /** Looks further up. */
  go: () => void;
  stop: () => void;
  /** Keeps lines which are not loaded any more. */
  keep: (lines: readonly Line[]) => void;
}

interface State {
  found: readonly Line[];
  from: number | null;
  running: boolean;
}

const NOTHING: State = { found: [], from: null, running: false };

/** `end`: where the part of the file that is loaded begins with a whole line; `missing`: how many lines are wanted beyond those in it. */
export function useSearch(
  file: string,
  level: string,
  search: string,
  end: number | null,
  missing: number,
  fail: (failure: unknown) => void,
): Search {
  const [state, setState] = useState<State>(NOTHING);
  const control = useRef<AbortController | null>(null);
  const current = useRef(state);
  current.current = state;

  const stop = useCallback(() => {
    control.current?.abort();
    control.current = null;
    setState((state) => ({ ...state, running: false }));
  }, []);

  const begin = useCallback(
    (from: number, wanted: number) => {
      control.current?.abort();
      const own = new AbortController();
      control.current = own;
      let left = wanted;
      setState((state) => ({ ...state, from, running: true }));
      const readRange = async (start: number, end: number) => (await read(file, `${start}-${end - 1}`, own.signal))?.bytes ?? null;
      lookUp(readRange, from, level, search, (lines, from) => {
        if (own.signal.aborted) return false;
        // What there is no place for is looked at again.
        const kept = lines.slice(-left);
        left -= kept.length;
        const place = kept.length < lines.length ? (kept[0]?.at ?? from) : from;
        setState(({ found }) => ({ found: [...kept, ...found], from: place, running: true }));
        return left > 0;
      })
        .catch((failure) => !own.signal.aborted && fail(failure))
        .finally(() => control.current === own && setState((state) => ({ ...state, running: false })));
    },
    [file, level, search, fail],
  );

  const known = end !== null;
  const place = useRef({ end, missing });
  place.current = { end, missing };
  useEffect(() => {
    setState(NOTHING);
    if (!known || (level === "" && search === "")) return;
    const timer = setTimeout(() => {
      const { end, missing } = place.current;
      if (end === null) return;
      if (end > 0 && missing > 0) begin(end, Math.min(missing, SCREEN));
      else setState({ found: [], from: end, running: false });
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      control.current?.abort();
      control.current = null;
    };
  }, [known, level, search, begin]);

  const go = useCallback(() => {
    const { from, found } = current.current;
    if (from !== null && from > 0 && found.length < MOST) begin(from, SCREEN);
  }, [begin]);
  const keep = useCallback((lines: readonly Line[]) => {
    if (lines.length === 0) return;
    setState((state) => {
      if (state.from === null) return state;
      const all = [...state.found, ...lines];
      const found = all.slice(-MOST);
      return { ...state, found, from: found.length < all.length ? (found[0]?.at ?? state.from) : state.from };
    });
  }, []);
  return { ...state, go, stop, keep };
}

/** How many lines a reader misses, who sees so many already. */
export function missingOf(seen: number): number {
  return Math.max(0, SCREEN - seen);
}
