/** The threads of a process, those with the same stack together. */

import type { ThreadDump } from "../../api/types";

export interface ThreadGroup {
  key: string;
  /** How many threads have which name. */
  names: [string, number][];
  threads: number;
  /** What they do, such as `WAITING`. */
  doing: string;
  /** The calls, innermost first. */
  frames: string[];
}

type Info = ThreadDump["threadInfos"][number];

/** What is said of a thread beyond its name and number, and its calls. */
export function partsOf({ threadName, stringifiedThreadInfo }: Info): { doing: string; frames: string[] } {
  const [head = "", ...rest] = stringifiedThreadInfo.split("\n");
  const named = `"${threadName}"`;
  const doing = (head.startsWith(named) ? head.slice(named.length) : head).replace(/^\s*(Id=\d+|#\d+)?\s*/, "").trim();
  return { doing, frames: rest.map((line) => line.replace(/^\s*(at )?/, "").trim()).filter(Boolean) };
}

/** Those that many threads share come first, and those that run before others. `together`: whether threads are put together at all. */
export function groupsOf(infos: readonly Info[], together: boolean): ThreadGroup[] {
  const groups = new Map<string, { names: Map<string, number>; group: ThreadGroup }>();
  for (const [at, info] of infos.entries()) {
    const { doing, frames } = partsOf(info);
    const key = together ? [doing, ...frames].join("\n") : String(at);
    let known = groups.get(key);
    if (!known) {
      known = { names: new Map(), group: { key, names: [], threads: 0, doing, frames } };
      groups.set(key, known);
    }
    known.names.set(info.threadName, (known.names.get(info.threadName) ?? 0) + 1);
    known.group.threads += 1;
  }
  const all = [...groups.values()].map(({ names, group }) => ({ ...group, names: [...names] }));
  return all.sort((one, other) => Number(runs(other)) - Number(runs(one)) || other.threads - one.threads || (one.key < other.key ? -1 : 1));
}

function runs({ doing }: ThreadGroup): boolean {
  return /^(R\b|RUNN)/.test(doing);
}

/** Whether a group has all the words in its names, in what it does or in its calls. */
export function has({ names, doing, frames }: ThreadGroup, search: string): boolean {
  const text = [...names.map(([name]) => name), doing, ...frames].join("\n").toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
