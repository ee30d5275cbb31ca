/** The lines of a log, and which of them a reader wants to see. */

export const LEVELS = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"] as const;

export type Level = (typeof LEVELS)[number];

export interface Line {
  /** Where it begins in the file: its name. */
  at: number;
  text: string;
  /** Of the entry that it belongs to: lines that follow have no level of their own. */
  level: Level | null;
}

const LEVEL = /(?:^|[\s[])(ERROR|WARN|INFO|DEBUG|TRACE)(?=[\s\]:])/;

/** The lines of a part of a file; one that is cut at the beginning is left out if the part does not start the file. */
export function linesOf(bytes: Uint8Array, start: number): Line[] {
  const lines: Line[] = [];
  const decoder = new TextDecoder();
  let level: Level | null = null;
  let from = start > 0 ? bytes.indexOf(10) + 1 : 0;
  while (from < bytes.length) {
    const end = bytes.indexOf(10, from);
    const until = end < 0 ? bytes.length : end;
    const text = decoder.decode(bytes.subarray(from, until));
    const own = LEVEL.exec(text.slice(0, 60))?.[1] as Level | undefined;
    if (own) level = own;
    lines.push({ at: start + from, text, level });
    from = until + 1;
  }
  return lines;
}

/** Where the first whole line of a part of a file begins; its end if it has none. */
export function firstLine(bytes: Uint8Array, start: number): number {
  if (start === 0) return 0;
  const end = bytes.indexOf(10);
  return start + (end < 0 ? bytes.length : end + 1);
}

/**
 * The lines of a part of a file that a reader wants to see, and from where on they were looked at: what is before that belongs to the part
 * before it. That is the rest of a line, and, where only some levels are wanted, lines that belong to an entry that begins there.
 */
export function matching(bytes: Uint8Array, start: number, level: string, search: string): { lines: Line[]; from: number } {
  let from = firstLine(bytes, start);
  // Most parts of a large file have nothing: they are not taken apart.
  if (level === "" && !new TextDecoder().decode(bytes).toLowerCase().includes(search.toLowerCase())) return { lines: [], from };
  let lines = linesOf(bytes, start);
  if (level !== "" && start > 0) {
    const first = lines.findIndex((line) => line.level !== null);
    const entry = lines[first];
    // A file without levels, or with a very long entry, is divided anywhere.
    if (entry && entry.at - start < bytes.length / 2) {
      lines = lines.slice(first);
      from = entry.at;
    }
  }
  return { lines: chosen(lines, level, search), from };
}

/** The lines that a reader wants to see: at least as grave as `level`, with `search` in them. */
export function chosen(lines: readonly Line[], level: string, search: string): Line[] {
  const most = LEVELS.indexOf(level as Level);
  const wanted = search.toLowerCase();
  return lines.filter((line) => {
    if (most >= 0 && (line.level === null || LEVELS.indexOf(line.level) > most)) return false;
    return wanted === "" || line.text.toLowerCase().includes(wanted);
  });
}

/** Two parts of a file that lie side by side. */
export function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const all = new Uint8Array(one.length + other.length);
  all.set(one);
  all.set(other, one.length);
  return all;
}
