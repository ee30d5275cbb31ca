/** What becomes of a new parallelism: what is awaited, what is under way, and the changes that were. */

import { usePolled } from "../../api/poll";
import type { Job, Rescale, RescaleConfig } from "../../api/types";
import { duration, NONE } from "../../format/units";
import { shownName } from "../../graph/model";
import { Ago, Card, Sentence, State, Time } from "../../parts/basic";
import { type Column, Table } from "../../parts/Table";

/** Newest first. */
export function useRescales(job: string) {
  return usePolled<Rescale[]>(`jobs/${job}/rescales/history`).data;
}

/** Which parallelism becomes which; those that stay are left out. */
export function changesOf({ vertices }: Rescale): string {
  const changes = Object.values(vertices)
    .map(({ jobVertexName, preRescaleParallelism: from, postRescaleParallelism, desiredParallelism }) => ({
      name: shownName(jobVertexName),
      from,
      to: postRescaleParallelism ?? desiredParallelism,
    }))
    .filter(({ from, to }) => from !== to)
    .map(({ name, from, to }) => `${name}: ${from} → ${to}`);
  return changes.length > 0 ? changes.join(", ") : "nothing";
}

export interface Awaited {
  /** Whether a vertex does not have the parallelism that is asked for. */
  open: boolean;
  needed: number;
  held: number;
  free: number;
  running: boolean;
  /** When the last change ended, and how long after it none is begun, ms. */
  lastEnd: number;
  cooldown: number;
  now: number;
}

/** What a job waits for that does not have the parallelism that is asked for; `null`: it has. */
export function awaited({ open, needed, held, free, running, lastEnd, cooldown, now }: Awaited): string | null {
  if (!open) return null;
  const missing = needed - held - free;
  const slots = (number: number) => `${number} more ${number === 1 ? "slot" : "slots"}`;
  if (missing > 0) return `Another parallelism is asked for. The job waits for ${slots(missing)}, and uses those that there are.`;
  if (!running) return "Another parallelism is asked for. The job gets it when it starts again.";
  const left = lastEnd + cooldown - now;
  if (lastEnd > 0 && left > 0)
    return `Another parallelism is asked for. The job is not rescaled again within ${duration(cooldown)} of the last time: ${duration(left)} are left.`;
  return "Another parallelism is asked for. The job is about to be rescaled.";
}

const DOING: Record<string, string> = {
  Executing: "a checkpoint is taken, from which the job will start again",
  Restarting: "tasks are stopped and started with the new parallelism",
};

const CAUSES: Record<string, string> = {
  INITIAL_SCHEDULE: "start",
  UPDATE_REQUIREMENT: "asked for",
  NEW_RESOURCE_AVAILABLE: "more slots",
  RECOVERABLE_FAILOVER: "a failure",
};

interface Props {
  job: Job;
  awaited: Omit<Awaited, "lastEnd" | "cooldown" | "now">;
}

export function RescaleProgress({ job, awaited: known }: Props) {
  const base = `jobs/${job.jid}/rescales`;
  const history = useRescales(job.jid);
  const config = usePolled<RescaleConfig>(`${base}/config`, 20).data;
  const newest = history?.[0];
  const details = usePolled<Rescale>(newest && newest.terminalState !== "COMPLETED" ? `${base}/details/${newest.rescaleUuid}` : null).data;
  if (!history) return null;
  const lastEnd = history.find(({ terminalState }) => terminalState === "COMPLETED")?.endTimestampInMillis ?? 0;
  const cooldown = config?.executingCooldownTimeoutInMillis ?? 0;
  const waits = awaited({ ...known, lastEnd, cooldown, now: job.now });
  const states = details?.rescaleUuid === newest?.rescaleUuid ? (details?.schedulerStates ?? []) : [];
  return (
    <Card title="Progress">
      <div role="status">
        {newest && newest.terminalState === null ? (
          <p className="notice notice-warn">
            Under way since <Time at={newest.startTimestampInMillis} /> ({changesOf(newest)})
            {states.length > 0 && `: ${DOING[states.at(-1)?.state ?? ""] ?? states.at(-1)?.state}`}.
          </p>
        ) : (
          waits && <p className="notice notice-warn">{waits}</p>
        )}
        {newest?.terminalState === "FAILED" && (
          <p className="notice notice-bad">
            The last change failed <Ago at={newest.endTimestampInMillis} />
            {states.some(({ stringifiedException }) => stringifiedException) && ": "}
            <Sentence text={states.find(({ stringifiedException }) => stringifiedException)?.stringifiedException ?? ""} />
          </p>
        )}
        {newest?.terminalState !== null && !waits && <p className="faint">The job has the parallelism that is asked for.</p>}
      </div>
      {history.length > 0 && (
        <Table name="rescales" rows={history} columns={COLUMNS} rowKey={(one) => one.rescaleUuid} sort="-start" limit={10} />
      )}
    </Card>
  );
}

const COLUMNS: Column<Rescale>[] = [
  { id: "start", title: "Begun", order: (one) => one.startTimestampInMillis, cell: (one) => <Time at={one.startTimestampInMillis} /> },
  {
    id: "state",
    title: "State",
    order: (one) => one.terminalState,
    cell: (one) => <State state={one.terminalState ?? "IN_PROGRESS"} />,
  },
  { id: "cause", title: "Cause", order: (one) => one.triggerCause, cell: (one) => CAUSES[one.triggerCause] ?? one.triggerCause },
  { id: "changes", title: "Parallelism", cell: (one) => changesOf(one) },
  {
    id: "took",
    title: "Took",
    numeric: true,
    cell: (one) => (one.endTimestampInMillis ? duration(one.endTimestampInMillis - one.startTimestampInMillis) : NONE),
  },
];
