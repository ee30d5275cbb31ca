/** Records and bytes that have come in and gone out, as columns of a table. */

import type { IoMetrics, Subtask } from "../../api/types";
import { bytes, compact, count, NONE } from "../../format/units";
import type { Column } from "../../parts/Table";
import type { Outside } from "./subtasks";

/** Records and bytes, in or out; what is not known is a dash rather than nothing. */
export function Records({ records, size }: { records: number | null | undefined; size: number }) {
  if (records === undefined || records === null) return <span className="faint">{NONE}</span>;
  return (
    <span className="nowrap" title={`${count(records)} records, ${count(size)} bytes`}>
      {compact(records)} {size > 0 && <span className="faint">{bytes(size)}</span>}
    </span>
  );
}

/** What has been received and sent, of rows that tell how many records each were. */
export function recordColumns<T extends { metrics: IoMetrics }>(
  received: (row: T) => number | undefined,
  sent: (row: T) => number | undefined,
): Column<T>[] {
  return [
    {
      id: "in",
      title: "Received",
      numeric: true,
      order: received,
      cell: (row) => <Records records={received(row)} size={row.metrics["read-bytes"]} />,
    },
    {
      id: "out",
      title: "Sent",
      numeric: true,
      order: sent,
      cell: (row) => <Records records={sent(row)} size={row.metrics["write-bytes"]} />,
    },
  ];
}

/** What subtasks have received. Of a source the task itself receives nothing. */
export function received(outside: Outside, own: Subtask["metrics"], subtasks: readonly number[]): number | undefined {
  return outside.ends.source === null ? own["read-records"] : sumOf(outside.received, subtasks);
}

/** What subtasks have sent. Of a sink the task itself sends nothing. */
export function sent(outside: Outside, own: Subtask["metrics"], subtasks: readonly number[]): number | undefined {
  return outside.ends.sink === null ? own["write-records"] : sumOf(outside.sent, subtasks);
}

/** The sum, if all are known. */
export function sumOf(values: ReadonlyMap<number, number>, subtasks: readonly number[]): number | undefined {
  let sum = 0;
  for (const subtask of subtasks) {
    const value = values.get(subtask);
    if (value === undefined) return undefined;
    sum += value;
  }
  return subtasks.length > 0 ? sum : undefined;
}
