/** What is known of a vertex by subtask or TaskManager, in tables. */

import { usePolled } from "../../api/poll";
import type { Accumulator, Backpressure, Job, OnTaskManager, Subtask, Vertex, VertexDetail } from "../../api/types";
import { duration, lag, percent } from "../../format/units";
import { Empty, Failure, Loading, Meter, Since, State, Tasks, Time } from "../../parts/basic";
import { Host } from "../Host";
import { type Column, Table } from "../../parts/Table";
import { endsOf } from "./ends";
import { received, recordColumns, sent } from "./records";
import { ASKED, type Outside, useMetricOf, useOutside } from "./subtasks";

export interface OfVertex {
  path: string;
  job: Job;
  vertex: Vertex;
}

function subtaskColumns(outside: Outside): Column<Subtask>[] {
  return [
    { id: "subtask", title: "Subtask", numeric: true, order: (one) => one.subtask, cell: (one) => one.subtask },
    { id: "status", title: "Status", order: (one) => one.status, cell: (one) => <State state={one.status} /> },
    ...recordColumns<Subtask>(
      (one) => received(outside, one.metrics, [one.subtask]),
      (one) => sent(outside, one.metrics, [one.subtask]),
    ),
    {
      id: "busy",
      title: "Busy",
      numeric: true,
      order: (one) => one.metrics["accumulated-busy-time"],
      cell: (one) => duration(one.metrics["accumulated-busy-time"]),
    },
    { id: "host", title: "TaskManager", order: (one) => one["taskmanager-id"], cell: (one) => <Host id={one["taskmanager-id"]} /> },
    { id: "attempt", title: "Attempt", numeric: true, order: (one) => one.attempt, cell: (one) => one.attempt },
    {
      id: "duration",
      title: "Duration",
      numeric: true,
      order: (one) => one.duration,
      cell: (one) => <Since start={one["start-time"]} end={one["end-time"]} />,
    },
  ];
}

export function SubtasksTab({ path, job, vertex }: OfVertex) {
  const { data, error } = usePolled<VertexDetail>(path);
  const outside = useOutside(path, job, vertex.id, vertex.parallelism);
  if (!data) return error ? <Failure error={error} what="The subtasks" /> : <Loading />;
  return (
    <Table
      name="subtasks"
      rows={data.subtasks}
      columns={subtaskColumns(outside)}
      rowKey={(one) => String(one.subtask)}
      text={(one) => `${one.subtask} ${one["taskmanager-id"]} ${one.status}`}
      limit={50}
    />
  );
}

type Load = Backpressure["subtasks"][number];

const LOADS: Column<Load>[] = [
  { id: "subtask", title: "Subtask", numeric: true, order: (one) => one.subtask, cell: (one) => one.subtask },
  { id: "busy", title: "Busy", order: (one) => one.busyRatio, cell: (one) => <Meter label="busy" share={one.busyRatio} /> },
  {
    id: "waits",
    title: "Back-pressured",
    order: (one) => one.ratio,
    cell: (one) => <Meter label="back-pressured" share={one.ratio} kind="waits" />,
  },
  { id: "idle", title: "Idle", numeric: true, order: (one) => one.idleRatio, cell: (one) => percent(one.idleRatio) },
  { id: "level", title: "Back-pressure", order: (one) => one.ratio, cell: (one) => one["backpressure-level"] },
];

export function BackpressureTab({ path }: { path: string }) {
  const { data, error } = usePolled<Backpressure>(`${path}/backpressure`);
  if (!data) return error ? <Failure error={error} what="The load" /> : <Loading />;
  if (data.subtasks.length === 0) return <Empty>No subtask is running.</Empty>;
  return (
    <>
      <p className="faint">
        Busy: the subtask processes. Back-pressured: it waits for whoever is downstream. Idle: it waits for records. Shares of the time.
      </p>
      <Table name="load" rows={data.subtasks} columns={LOADS} rowKey={(one) => String(one.subtask)} sort="-busy" limit={50} />
    </>
  );
}

/** A source has no input whose watermark it could tell, but what it sends. */
export function WatermarksTab({ path, job, vertex }: OfVertex) {
  const source = endsOf(job.plan.nodes, vertex.id).source !== null;
  const { values, error, at } = useMetricOf(path, vertex.parallelism, source ? "currentOutputWatermark" : "currentInputWatermark");
  if (!values) return error ? <Failure error={error} what="The watermarks" /> : <Loading />;
  // The least number stands for "none yet".
  const rows = [...values].map(([subtask, at]) => ({ subtask, at: at < -9e18 ? null : at }));
  const columns: Column<(typeof rows)[number]>[] = [
    { id: "subtask", title: "Subtask", numeric: true, order: (one) => one.subtask, cell: (one) => one.subtask },
    {
      id: "watermark",
      title: "Watermark",
      order: (one) => one.at,
      cell: (one) => (one.at === null ? <span className="faint">none yet</span> : one.at > 9e18 ? "end of input" : <Time at={one.at} />),
    },
    { id: "lag", title: "Behind", numeric: true, order: (one) => (one.at === null ? null : -one.at), cell: (one) => lag(one.at, at) },
  ];
  return (
    <>
      <p className="faint">
        {source ? "Of what the source sends." : "Of what has come in: the lowest of all inputs."}
        {vertex.parallelism > ASKED && ` Of the first ${ASKED} subtasks.`}
      </p>
      <Table
        name="watermarks"
        rows={rows}
        columns={columns}
        rowKey={(one) => String(one.subtask)}
        empty="No subtask has told a watermark yet."
        limit={50}
      />
    </>
  );
}

function hostColumns(outside: Outside, subtasks: readonly Subtask[] | undefined): Column<OnTaskManager>[] {
  const there = (one: OnTaskManager) =>
    (subtasks ?? []).filter((subtask) => subtask["taskmanager-id"] === one["taskmanager-id"]).map(({ subtask }) => subtask);
  return [
    { id: "host", title: "TaskManager", order: (one) => one["taskmanager-id"], cell: (one) => <Host id={one["taskmanager-id"]} /> },
    { id: "status", title: "Status", order: (one) => one.status, cell: (one) => <State state={one.status} /> },
    { id: "tasks", title: "Tasks", cell: (one) => <Tasks tasks={one["status-counts"]} /> },
    ...recordColumns<OnTaskManager>(
      (one) => received(outside, one.metrics, there(one)),
      (one) => sent(outside, one.metrics, there(one)),
    ),
  ];
}

export function TaskManagersTab({ path, job, vertex }: OfVertex) {
  const { data, error } = usePolled<{ taskmanagers: OnTaskManager[] }>(`${path}/taskmanagers`);
  const outside = useOutside(path, job, vertex.id, vertex.parallelism);
  // Only where it is counted by subtask.
  const subtasks = usePolled<VertexDetail>(outside.ends.source === null && outside.ends.sink === null ? null : path).data?.subtasks;
  if (!data) return error ? <Failure error={error} what="The TaskManagers" /> : <Loading />;
  return (
    <Table name="task managers" rows={data.taskmanagers} columns={hostColumns(outside, subtasks)} rowKey={(one) => one["taskmanager-id"]} />
  );
}

const ACCUMULATORS: Column<Accumulator>[] = [
  { id: "name", title: "Name", order: (one) => one.name, cell: (one) => one.name },
  { id: "type", title: "Kind", cell: (one) => one.type },
  { id: "value", title: "Value", numeric: true, cell: (one) => one.value },
];

export function AccumulatorsTab({ path }: { path: string }) {
  const { data, error } = usePolled<{ "user-accumulators": Accumulator[] }>(`${path}/accumulators`);
  if (!data) return error ? <Failure error={error} what="The accumulators" /> : <Loading />;
  return (
    <Table
      name="accumulators"
      rows={data["user-accumulators"]}
      columns={ACCUMULATORS}
      rowKey={(one) => one.name}
      empty="The vertex has none, or tells them when the job ends."
    />
  );
}
