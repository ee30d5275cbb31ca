/** Jobs in a table, with their figures. */

import { useMemo } from "react";
import { usePolled } from "../api/poll";
import type { JobFlow, JobSummary } from "../api/types";
import { href } from "../app/router";
import { ago, bytes, duration, NONE, rate } from "../format/units";
import { Failure, Loading, Since, State, Tasks, Time, useNow } from "../parts/basic";
import { type Column, Table } from "../parts/Table";

export interface ListedJob extends JobSummary {
  flow: JobFlow | undefined;
}

const ENDED = ["FINISHED", "FAILED", "CANCELED"];

export function hasEnded(state: string): boolean {
  return ENDED.includes(state.toUpperCase());
}

/** All jobs, or why they are not known. */
export function useJobs() {
  const jobs = usePolled<{ jobs: JobSummary[] }>("jobs/overview");
  const flows = usePolled<{ now: number; jobs: JobFlow[] }>("jobs/flow");
  const all = useMemo(() => {
    const known = new Map(flows.data?.jobs.map((flow) => [flow.jid, flow]));
    return jobs.data?.jobs.map((job): ListedJob => ({ ...job, flow: known.get(job.jid) }));
  }, [jobs.data, flows.data]);
  return { jobs: all, error: jobs.error ?? flows.error };
}

function Checkpoint({ flow }: { flow: JobFlow | undefined }) {
  const now = useNow();
  const last = flow?.["last-checkpoint"];
  if (!last) return <span className="faint">{NONE}</span>;
  const title = `checkpoint ${last.id}: ${duration(last.duration)}, ${bytes(last.size)}`;
  return (
    <span className="nowrap" title={title}>
      {last.status === "FAILED" && <span className="bad">failed </span>}
      {ago(last["ended-at"], now)}
    </span>
  );
}

const NAME: Column<ListedJob> = {
  id: "name",
  title: "Name",
  order: (job) => job.name,
  cell: (job) => (
    <a href={href(["jobs", job.jid, "overview"])} className="strong" title={job.jid}>
      {job.name}
    </a>
  ),
};
const STATE: Column<ListedJob> = { id: "state", title: "State", order: (job) => job.state, cell: (job) => <State state={job.state} /> };
const START: Column<ListedJob> = {
  id: "start",
  title: "Started",
  order: (job) => job["start-time"],
  cell: (job) => <Time at={job["start-time"]} />,
};
const DURATION: Column<ListedJob> = {
  id: "duration",
  title: "Duration",
  numeric: true,
  order: (job) => job.duration,
  cell: (job) => <Since start={job["start-time"]} end={job["end-time"]} />,
};
const TASKS: Column<ListedJob> = {
  id: "tasks",
  title: "Tasks",
  order: (job) => job.tasks.total,
  cell: (job) => <Tasks tasks={job.tasks} />,
};
const RESTARTS: Column<ListedJob> = {
  id: "restarts",
  title: "Restarts",
  numeric: true,
  order: (job) => job.flow?.restarts,
  cell: (job) => (job.flow?.restarts ? <span className="warn">{job.flow.restarts}</span> : (job.flow?.restarts ?? NONE)),
};
const CHECKPOINT: Column<ListedJob> = {
  id: "checkpoint",
  title: "Last checkpoint",
  numeric: true,
  order: (job) => job.flow?.["last-checkpoint"]?.["ended-at"],
  cell: (job) => <Checkpoint flow={job.flow} />,
};

const RUNNING: Column<ListedJob>[] = [
  NAME,
  STATE,
  START,
  DURATION,
  TASKS,
  {
    id: "in",
    title: "Records in",
    numeric: true,
    order: (job) => job.flow?.["records-in-rate"],
    cell: (job) => rate(job.flow?.["records-in-rate"]),
  },
  {
    id: "out",
    title: "Records out",
    numeric: true,
    order: (job) => job.flow?.["records-out-rate"],
    cell: (job) => rate(job.flow?.["records-out-rate"]),
  },
  CHECKPOINT,
  RESTARTS,
];

const COMPLETED: Column<ListedJob>[] = [
  NAME,
  STATE,
  START,
  { id: "end", title: "Ended", order: (job) => job["end-time"], cell: (job) => <Time at={job["end-time"]} /> },
  DURATION,
  TASKS,
  CHECKPOINT,
  RESTARTS,
];

const key = (job: ListedJob) => job.jid;
const text = (job: ListedJob) => `${job.name} ${job.jid} ${job.state}`;

export function JobTable({ ended, limit = 100 }: { ended: boolean; limit?: number }) {
  const { jobs, error } = useJobs();
  const rows = useMemo(() => jobs?.filter((job) => hasEnded(job.state) === ended) ?? [], [jobs, ended]);
  if (!jobs) return error ? <Failure error={error} what="The list of jobs" /> : <Loading />;
  return (
    <>
      <Failure error={error} what="The figures of jobs" />
      <Table
        name={ended ? "ended jobs" : "running jobs"}
        rows={rows}
        columns={ended ? COMPLETED : RUNNING}
        rowKey={key}
        text={text}
        sort={ended ? "-end" : "-start"}
        limit={limit}
        empty={ended ? "No job has ended yet." : "No job is running. Submit one here, or with `flott run PROGRAM`."}
      />
    </>
  );
}
