/** Which records of a tap are kept and shown. */

import type { TapRecord } from "../../api/types";

/** Records that are kept, the newest first. */
export const KEPT = 500;

export interface Numbered extends TapRecord {
  /** Counts the records of a tap. */
  number: number;
}

/** `records` with `fresh` ones, which come oldest first, before them. */
export function keep(records: readonly Numbered[], fresh: readonly TapRecord[]): Numbered[] {
  const next = (records[0]?.number ?? 0) + 1;
  const numbered = fresh.map((record, at) => ({ ...record, number: next + at })).reverse();
  return [...numbered, ...records].slice(0, KEPT);
}

/** Whether a record is wanted; what is empty says nothing. */
export function matches(record: TapRecord, direction: string, subtask: string, search: string): boolean {
  const wanted = search.trim().toLowerCase();
  return (
    (direction === "" || record.direction === direction) &&
    (subtask === "" || record.subtask === Number(subtask)) &&
    (wanted === "" || `${record.operator} ${record.value ?? ""}`.toLowerCase().includes(wanted))
  );
}
