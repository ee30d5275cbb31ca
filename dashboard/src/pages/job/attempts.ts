/** Attempts of subtasks that came before the newest. They do not change any more, so each is asked for once. */

import { useEffect, useState } from "react";
import { get } from "../../api/client";
import type { Attempt } from "../../api/types";

/** As many of a subtask are asked for, the last ones. */
export const EARLIER = 12;

const known = new Map<string, Attempt>();

/** So many are kept; who comes back later asks again. */
const KEPT = 5000;

/** A subtask, and the number of its newest attempt. */
export interface Newest {
  subtask: number;
  attempt: number;
}

function addresses(path: string, subtasks: readonly Newest[]): string[] {
  return subtasks.flatMap(({ subtask, attempt }) => {
    const first = Math.max(0, attempt - EARLIER);
    return Array.from({ length: attempt - first }, (_, at) => `${path}/subtasks/${subtask}/attempts/${first + at}`);
  });
}

/** The earlier attempts of subtasks, oldest first, as they become known. What the server has forgotten is left out. */
export function useEarlier(path: string | null, subtasks: readonly Newest[]): ReadonlyMap<number, Attempt[]> {
  const [, setSeen] = useState(0);
  const wanted = path === null ? "" : addresses(path, subtasks).join("\n");
  useEffect(() => {
    const missing = wanted.split("\n").filter((address) => address !== "" && !known.has(address));
    if (missing.length === 0) return;
    const control = new AbortController();
    const ask = async () => {
      for (const address of missing) {
        try {
          const attempt = await get<Attempt>(address, control.signal);
          if (known.size >= KEPT) known.clear();
          known.set(address, attempt);
        } catch {
          // It is not kept any more, or nobody answers: the page says so elsewhere.
          if (control.signal.aborted) return;
        }
        setSeen((seen) => seen + 1);
      }
    };
    void ask();
    return () => control.abort();
  }, [wanted]);
  const found = new Map<number, Attempt[]>();
  for (const address of wanted.split("\n")) {
    const attempt = known.get(address);
    if (!attempt) continue;
    const others = found.get(attempt.subtask);
    if (others) others.push(attempt);
    else found.set(attempt.subtask, [attempt]);
  }
  return found;
}
