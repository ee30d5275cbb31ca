/** What single subtasks say of themselves, beyond what tables of them have. */

import { usePolled } from "../../api/poll";
import type { Job, Metric } from "../../api/types";
import { type Ends, endsOf, identifier } from "./ends";

/** Of so many subtasks a metric is asked for: their names stand in the address of the call. */
export const ASKED = 1000;

/** The values of one metric by subtask, and when they were told. Without a name nothing is asked. */
export function useMetricOf(path: string, parallelism: number, name: string | null) {
  const asked = Array.from({ length: Math.min(parallelism, ASKED) }, (_, subtask) => `${subtask}.${name}`).join(",");
  const { data, error, at } = usePolled<Metric[]>(name === null ? null : `${path}/metrics?get=${encodeURIComponent(asked)}`);
  return { values: data && valuesOf(data), error, at };
}

function valuesOf(metrics: readonly Metric[]): Map<number, number> {
  const values = new Map<number, number>();
  for (const { id, value } of metrics) if (value !== undefined) values.set(Number(id.slice(0, id.indexOf("."))), Number(value));
  return values;
}

/** What comes into subtasks from outside, and what goes there: records by subtask. */
export interface Outside {
  ends: Ends;
  received: ReadonlyMap<number, number>;
  sent: ReadonlyMap<number, number>;
}

const NOTHING: ReadonlyMap<number, number> = new Map();

export function useOutside(path: string, job: Job, vertex: string, parallelism: number): Outside {
  const ends = endsOf(job.plan.nodes, vertex);
  const received = useMetricOf(path, parallelism, ends.source === null ? null : `${identifier(ends.source)}.numRecordsOut`).values;
  const sent = useMetricOf(path, parallelism, ends.sink === null ? null : `${identifier(ends.sink)}.numRecordsIn`).values;
  return { ends, received: received ?? NOTHING, sent: sent ?? NOTHING };
}
