/** What is known of a vertex by subtask or TaskManager, in tables. */

import { usePolled } from "../../api/poll";
import type { Accumulator, Backpressure, Metric, OnTaskManager, Subtask, VertexDetail } from "../../api/types";
import { href } from "../../app/router";
import { bytes, compact, count, duration, lag, NONE, percent } from "../../format/units";
import { Empty, Failure, Loading, Meter, Since, State, Tasks, Time, useNow } from "../../parts/basic";
import { type Column, Table } from "../../parts/Table";

/** Where a task runs that is nowhere yet. */
const UNASSIGNED = "(unassigned)";

function Host({ id }: { id: string }) {
  if (!id || id === UNASSIGNED) return <span className="faint">{NONE}</span>;
  return <a href={href(["task-managers", id, "log"])}>{id}</a>;
}

const SUBTASKS: Column<Subtask>[] = [
  { id: "subtask", title: "Subtask", numeric: true, order: (one) => one.subtask, cell: (one) => one.subtask },
  { id: "status", title: "Status", order: (one) => one.status, cell: (one) => <State state={one.status} /> },
  {
    id: "in",
    title: "Received",
    numeric: true,
    order: (one) => one.metrics["read-records"],
    cell: (one) => <Records records={one.metrics["read-records"]} size={one.metrics["read-bytes"]} />,
  },
  {
    id: "out",
    title: "Sent",
    numeric: true,
    order: (one) => one.metrics["write-records"],
    cell: (one) => <Records records={one.metrics["write-records"]} size={one.metrics["write-bytes"]} />,
  },
  {
    id: "busy",
    title: "Busy so far",
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

function Records({ records, size }: { records: number; size: number }) {
  return (
    <span className="nowrap" title={`${count(records)} records, ${count(size)} bytes`}>
      {compact(records)} <span className="faint">{bytes(size)}</span>
    </span>
  );
}

export function SubtasksTab({ path }: { path: string }) {
  const { data, error } = usePolled<VertexDetail>(path);
  if (!data) return error ? <Failure error={error} what="The subtasks" /> : <Loading />;
  return (
    <Table
      name="subtasks"
      rows={data.subtasks}
      columns={SUBTASKS}
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

export function WatermarksTab({ path }: { path: string }) {
  const { data, error } = usePolled<Metric[]>(`${path}/watermarks`);
  const now = useNow();
  if (!data) return error ? <Failure error={error} what="The watermarks" /> : <Loading />;
  const rows = data.map(({ id, value }) => {
    const at = Number(value);
    // The least number stands for "none yet".
    return { subtask: Number(id.split(".")[0]), at: at < -9e18 ? null : at };
  });
  const columns: Column<(typeof rows)[number]>[] = [
    { id: "subtask", title: "Subtask", numeric: true, order: (one) => one.subtask, cell: (one) => one.subtask },
    {
      id: "watermark",
      title: "Watermark",
      order: (one) => one.at,
      cell: (one) => (one.at === null ? <span className="faint">none yet</span> : one.at > 9e18 ? "end of input" : <Time at={one.at} />),
    },
    { id: "lag", title: "Behind", numeric: true, order: (one) => (one.at === null ? null : -one.at), cell: (one) => lag(one.at, now) },
  ];
  return (
    <Table
      name="watermarks"
      rows={rows}
      columns={columns}
      rowKey={(one) => String(one.subtask)}
      empty="No subtask has told a watermark yet."
      limit={50}
    />
  );
}

const HOSTS: Column<OnTaskManager>[] = [
  { id: "host", title: "TaskManager", order: (one) => one["taskmanager-id"], cell: (one) => <Host id={one["taskmanager-id"]} /> },
  { id: "status", title: "Status", order: (one) => one.status, cell: (one) => <State state={one.status} /> },
  { id: "tasks", title: "Tasks", cell: (one) => <Tasks tasks={one["status-counts"]} /> },
  {
    id: "in",
    title: "Received",
    numeric: true,
    order: (one) => one.metrics["read-records"],
    cell: (one) => <Records records={one.metrics["read-records"]} size={one.metrics["read-bytes"]} />,
  },
  {
    id: "out",
    title: "Sent",
    numeric: true,
    order: (one) => one.metrics["write-records"],
    cell: (one) => <Records records={one.metrics["write-records"]} size={one.metrics["write-bytes"]} />,
  },
];

export function TaskManagersTab({ path }: { path: string }) {
  const { data, error } = usePolled<{ taskmanagers: OnTaskManager[] }>(`${path}/taskmanagers`);
  if (!data) return error ? <Failure error={error} what="The TaskManagers" /> : <Loading />;
  return <Table name="task managers" rows={data.taskmanagers} columns={HOSTS} rowKey={(one) => one["taskmanager-id"]} />;
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
