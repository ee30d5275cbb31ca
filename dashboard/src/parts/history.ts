/** Values of a chart over time: lines may come and go while times go on. */

export interface Lines {
  times: readonly number[];
  values: readonly (readonly (number | null)[])[];
}

export class History {
  private times: number[] = [];
  private readonly lines = new Map<string, (number | null)[]>();

  /** `kept`: as many values a line has at most. */
  constructor(private readonly kept: number) {}

  /** What was told at a time later than those before; a line that is not among `values` has a gap there. */
  push(at: number, values: ReadonlyMap<string, number | null>): void {
    if (at <= (this.times.at(-1) ?? 0)) return;
    this.times = [...this.times, at].slice(-this.kept);
    const { length } = this.times;
    for (const name of values.keys()) if (!this.lines.has(name)) this.lines.set(name, []);
    for (const [name, line] of this.lines) {
      const next = [...line, values.get(name) ?? null].slice(-length);
      while (next.length < length) next.unshift(null);
      if (next.every((value) => value === null)) this.lines.delete(name);
      else this.lines.set(name, next);
    }
  }

  /** The lines of these names. */
  of(names: readonly string[]): Lines {
    return { times: this.times, values: names.map((name) => this.lines.get(name) ?? this.times.map(() => null)) };
  }
}

/** Up to so many subtasks have lines. */
export const MOST = 16;

/** The subtasks that a text such as `0, 3-5` names, the first `MOST` of them. */
export function picked(text: string, parallelism: number): number[] {
  const found = new Set<number>();
  for (const [, first = "", last = first] of text.matchAll(/(\d+)(?:\s*-\s*(\d+))?/g)) {
    const end = Math.min(Number(last), parallelism - 1);
    for (let subtask = Number(first); subtask <= end && found.size < MOST; subtask += 1) found.add(subtask);
  }
  return [...found].sort((one, other) => one - other);
}
