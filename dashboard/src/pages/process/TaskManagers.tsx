import { usePolled } from "../../api/poll";
import type { TaskManager } from "../../api/types";
import { href } from "../../app/router";
import { byteRate, bytes, NONE, percent } from "../../format/units";
import { Ago, Card, Failure, Loading, Meter } from "../../parts/basic";
import { type Column, Table } from "../../parts/Table";

const COLUMNS: Column<TaskManager>[] = [
  {
    id: "id",
    title: "TaskManager",
    order: (one) => one.id,
    cell: (one) => (
      <a className="strong" href={href(["task-managers", one.id])}>
        {one.id}
      </a>
    ),
  },
  { id: "path", title: "Address", cell: (one) => <code>{one.path}</code> },
  {
    id: "slots",
    title: "Slots in use",
    order: (one) => one.slotsNumber - one.freeSlots,
    cell: (one) => (
      <Meter
        label="slots in use"
        share={one.slotsNumber > 0 ? (one.slotsNumber - one.freeSlots) / one.slotsNumber : 0}
        kind="slots"
        text={`${one.slotsNumber - one.freeSlots} of ${one.slotsNumber}`}
      />
    ),
  },
  { id: "tasks", title: "Tasks", numeric: true, order: (one) => one.assignedTasks, cell: (one) => one.assignedTasks },
  {
    id: "cpu",
    title: "CPU load",
    numeric: true,
    order: (one) => one.usage.cpuLoad,
    cell: (one) => <span title={`of ${one.hardware.cpuCores} cores`}>{percent(one.usage.cpuLoad)}</span>,
  },
  {
    id: "memory",
    title: "Memory",
    numeric: true,
    order: (one) => one.usage.memoryUsed,
    cell: (one) => (
      <span className="nowrap">
        {bytes(one.usage.memoryUsed)} <span className="faint">of {bytes(one.usage.memoryMax ?? one.hardware.physicalMemory)}</span>
      </span>
    ),
  },
  {
    id: "in",
    title: "In",
    numeric: true,
    order: (one) => one.usage.bytesInRate,
    cell: (one) => byteRate(one.usage.bytesInRate),
  },
  {
    id: "out",
    title: "Out",
    numeric: true,
    order: (one) => one.usage.bytesOutRate,
    cell: (one) => byteRate(one.usage.bytesOutRate),
  },
  {
    id: "heartbeat",
    title: "Last heard of",
    numeric: true,
    order: (one) => one.timeSinceLastHeartbeat,
    cell: (one) => (one.timeSinceLastHeartbeat > 0 ? <Ago at={one.timeSinceLastHeartbeat} /> : NONE),
  },
];

/** The TaskManagers that are there. */
export function TaskManagersPage() {
  const { data, error } = usePolled<{ taskmanagers: TaskManager[] }>("taskmanagers");
  return (
    <>
      <h1>TaskManagers</h1>
      <Card>
        <Failure error={error} what="The TaskManagers" />
        {!data && !error && <Loading />}
        {data && (
          <Table
            name="TaskManagers"
            rows={data.taskmanagers}
            columns={COLUMNS}
            rowKey={(one) => one.id}
            text={(one) => `${one.id} ${one.path}`}
            sort="id"
            empty="There is none, so no job can run. Start one with `flott taskmanager`."
          />
        )}
      </Card>
    </>
  );
}
