import { usePolled } from "../../api/poll";
import type { TaskManager } from "../../api/types";
import { href } from "../../app/router";
import { bytes, NONE } from "../../format/units";
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
  { id: "cores", title: "CPU cores", numeric: true, order: (one) => one.hardware.cpuCores, cell: (one) => one.hardware.cpuCores },
  {
    id: "memory",
    title: "Memory of the machine",
    numeric: true,
    order: (one) => one.hardware.physicalMemory,
    cell: (one) => bytes(one.hardware.physicalMemory),
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
