/** The JobManager or a TaskManager: figures, configuration, logs, threads. */

import { type ComponentProps, useEffect, useMemo, useState } from "react";
import { usePolled } from "../../api/poll";
import type { Environment, JobSummary, KeyValue, LogFiles, Metric, TaskManagerDetail } from "../../api/types";
import { href, useQuery } from "../../app/router";
import { byteRate, bytes, metric, NONE, percent } from "../../format/units";
import { Ago, Card, Empty, Facts, Failure, Loading, Meter, Time } from "../../parts/basic";
import { Options } from "../../parts/Options";
import { later } from "../../parts/later";
import { History } from "../../parts/history";
import { type Column, Table } from "../../parts/Table";
import { Tabs } from "../../parts/Tabs";
import { LogView } from "./LogView";
import { type Kind, NETWORK_WORDS, nameOf, NOTHING, RECEIVED, SENT } from "./names";
import { Threads } from "./Threads";

const Chart = later(() => import("../../parts/Chart").then((part) => part.Chart));

export function ProcessPage({ taskManager, tab }: { taskManager: string | null; tab: string }) {
  const base = taskManager === null ? "jobmanager" : `taskmanagers/${encodeURIComponent(taskManager)}`;
  const path = taskManager === null ? ["job-manager"] : ["task-managers", taskManager];
  useEffect(() => {
    if (taskManager !== null) document.title = `${taskManager} · Flott`;
  }, [taskManager]);
  // Flink's addresses say `logs` for what is the log here.
  const current = tab === "logs" ? "log" : tab;
  const tabs = [
    { id: "metrics", title: taskManager === null ? "Metrics" : "Slots and metrics" },
    { id: "configuration", title: "Configuration" },
    { id: "log", title: "Log" },
    { id: "stdout", title: "Output" },
    { id: "files", title: "All files" },
    { id: "threads", title: "Threads" },
  ].map(({ id, title }) => ({ id, title, href: href([...path, id]) }));
  return (
    <>
      <h1>{taskManager === null ? "JobManager" : `TaskManager ${taskManager}`}</h1>
      <Tabs name="Pages of the process" tabs={tabs} current={current} />
      {current === "metrics" && (taskManager === null ? <Figures base={base} kind="job-manager" /> : <TaskManagerFigures base={base} />)}
      {current === "configuration" && <Configuration base={base} environment={taskManager === null} />}
      {current === "log" && <LogView key="log" base={base} file={`${base}/log`} name="log" />}
      {current === "stdout" && <LogView key="stdout" base={base} file={`${base}/stdout`} name="output" />}
      {current === "files" && <Files base={base} path={path} />}
      {current === "threads" && <Threads base={base} />}
    </>
  );
}

interface JobSlots {
  job: string;
  slots: number;
  tasks: number;
}

/** The slots of a TaskManager, by job. */
function slotsOf(slots: TaskManagerDetail["allocatedSlots"]): JobSlots[] {
  const jobs = new Map<string, JobSlots>();
  for (const { jobId, assignedTasks } of slots) {
    const before = jobs.get(jobId);
    jobs.set(jobId, { job: jobId, slots: (before?.slots ?? 0) + 1, tasks: (before?.tasks ?? 0) + assignedTasks });
  }
  return [...jobs.values()];
}

const SLOTS: Column<JobSlots>[] = [
  { id: "job", title: "Job", cell: ({ job }) => <JobLink id={job} /> },
  { id: "slots", title: "Slots", numeric: true, order: ({ slots }) => slots, cell: ({ slots }) => slots },
  { id: "tasks", title: "Tasks", numeric: true, order: ({ tasks }) => tasks, cell: ({ tasks }) => tasks },
];

function JobLink({ id }: { id: string }) {
  const jobs = usePolled<{ jobs: JobSummary[] }>("jobs/overview", 5).data?.jobs;
  return (
    <a className="strong" href={href(["jobs", id, "overview"])} title={id}>
      {jobs?.find(({ jid }) => jid === id)?.name ?? <code>{id}</code>}
    </a>
  );
}

function TaskManagerFigures({ base }: { base: string }) {
  const { data, error } = usePolled<TaskManagerDetail>(base);
  if (!data) return error ? <Failure error={error} what="The TaskManager" /> : <Loading />;
  const used = data.slotsNumber - data.freeSlots;
  return (
    <>
      <Failure error={error} what="The TaskManager" />
      <Card title="Slots">
        <Facts
          facts={[
            ["Address", <code key="path">{data.path}</code>],
            ["CPU cores", data.hardware.cpuCores],
            ["Memory of the machine", bytes(data.hardware.physicalMemory)],
            [NETWORK_WORDS["task-manager"].received, byteRate(data.usage.bytesInRate)],
            [NETWORK_WORDS["task-manager"].sent, byteRate(data.usage.bytesOutRate)],
            ["Last heard of", data.timeSinceLastHeartbeat > 0 ? <Ago key="at" at={data.timeSinceLastHeartbeat} /> : NONE],
          ]}
        />
        <Meter
          label="slots in use"
          share={data.slotsNumber > 0 ? used / data.slotsNumber : 0}
          kind="slots"
          text={`${used} of ${data.slotsNumber} in use`}
        />
        {data.allocatedSlots.length === 0 ? (
          <Empty>No job has a slot here.</Empty>
        ) : (
          <Table name="slots" rows={slotsOf(data.allocatedSlots)} columns={SLOTS} rowKey={({ job }) => job} />
        )}
      </Card>
      <Figures base={base} kind="task-manager" />
    </>
  );
}

/** Values that a chart keeps. */
const KEPT = 200;

const MEMORY = [{ name: "memory" }];
const LOAD = [{ name: "load", color: "--series-3" }];
const NETWORK = [{ name: "received" }, { name: "sent" }];

/** Which values are drawn. */
const MEMORY_USED = "Status.JVM.Memory.Heap.Used";
const CPU_LOAD = "Status.JVM.CPU.Load";

/** Values over time. */
function Drawing({ title, ...chart }: { title: string } & Omit<ComponentProps<typeof Chart>, "label" | "height">) {
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <Chart label={`${title} over time`} height={130} {...chart} />
    </figure>
  );
}

function Figures({ base, kind }: { base: string; kind: Kind }) {
  const names = usePolled<Metric[]>(`${base}/metrics`, 20).data;
  const list = names?.map(({ id }) => id).join(",");
  const { data, error, at } = usePolled<Metric[]>(list ? `${base}/metrics?get=${encodeURIComponent(list)}` : null);
  const [past] = useState(() => new History(KEPT));
  const words = NETWORK_WORDS[kind];
  const network = names?.some(({ id }) => id === RECEIVED) ?? false;
  const { times, memory, load, sent } = useMemo(() => {
    const value = (name: string) => {
      const found = Number(data?.find(({ id }) => id === name)?.value ?? Number.NaN);
      return Number.isFinite(found) ? found : null;
    };
    if (data && value(MEMORY_USED) !== null)
      past.push(at, new Map([MEMORY_USED, CPU_LOAD, RECEIVED, SENT].map((name) => [name, value(name)])));
    const of = (...names: string[]) => past.of(names).values;
    return { times: past.of([]).times, memory: of(MEMORY_USED), load: of(CPU_LOAD), sent: of(RECEIVED, SENT) };
  }, [past, data, at]);
  if (names?.length === 0) return <Empty>The process tells no metrics.</Empty>;
  if (!data) return error ? <Failure error={error} what="The metrics" /> : <Loading />;
  const columns: Column<Metric>[] = [
    { id: "name", title: "Metric", order: ({ id }) => nameOf(id, kind), cell: ({ id }) => <span title={id}>{nameOf(id, kind)}</span> },
    { id: "value", title: "Value", numeric: true, order: ({ value }) => Number(value), cell: ({ id, value }) => metric(id, Number(value)) },
  ];
  return (
    <Card title="Metrics">
      {kind === "job-manager" && network && (
        <Facts
          facts={[
            [words.received, byteRate(Number(data.find(({ id }) => id === RECEIVED)?.value))],
            [words.sent, byteRate(Number(data.find(({ id }) => id === SENT)?.value))],
          ]}
        />
      )}
      {times.length > 1 && (
        <div className="charts">
          <Drawing title="Memory of the process" times={times} values={memory} series={MEMORY} format={bytes} binary />
          <Drawing title="CPU load" times={times} values={load} series={LOAD} format={percent} />
          {network && <Drawing title={words.exchanged} times={times} values={sent} series={NETWORK} format={byteRate} binary />}
        </div>
      )}
      <Table
        name="metrics"
        rows={data.filter(({ id }) => !NOTHING.test(id))}
        columns={columns}
        rowKey={({ id }) => id}
        text={({ id }) => `${nameOf(id, kind)} ${id}`}
        sort="name"
      />
    </Card>
  );
}

/** The options of a process; of the JobManager also what it was started with. */
function Configuration({ base, environment: has }: { base: string; environment: boolean }) {
  const { data, error } = usePolled<KeyValue[]>(`${base}/configuration`, 10);
  const environment = usePolled<Environment>(has ? `${base}/environment` : null, 10).data;
  return (
    <>
      <Card title="Options">
        <Failure error={error} what="The configuration" />
        {!data && !error && <Loading />}
        {data && <Options options={data} />}
      </Card>
      {environment && (
        <Card title="Process">
          <Facts
            facts={[
              ["Architecture", environment.jvm.arch],
              [
                "Arguments",
                <code key="arguments" className="wrap">
                  {environment.jvm.options.join(" ")}
                </code>,
              ],
            ]}
          />
        </Card>
      )}
    </>
  );
}

function Files({ base, path }: { base: string; path: string[] }) {
  const [file] = useQuery("file");
  const { data, error } = usePolled<LogFiles>(`${base}/logs`);
  if (!data) return error ? <Failure error={error} what="The files" /> : <Loading />;
  const columns: Column<LogFiles["logs"][number]>[] = [
    {
      id: "name",
      title: "File",
      order: (one) => one.name,
      cell: (one) => <a href={href([...path, "files"], { file: one.name })}>{one.name}</a>,
    },
    { id: "size", title: "Size", numeric: true, order: (one) => one.size, cell: (one) => bytes(one.size) },
    { id: "mtime", title: "Last written", order: (one) => one.mtime, cell: (one) => <Time at={one.mtime} /> },
  ];
  return (
    <>
      <Card title="Files">
        <Table
          name="files"
          rows={data.logs}
          columns={columns}
          rowKey={(one) => one.name}
          text={(one) => one.name}
          sort="name"
          empty="None: the option `env.log.dir` names the folder of the logs."
        />
      </Card>
      {file && <LogView key={file} base={base} file={`${base}/logs/${encodeURIComponent(file)}`} name={file} />}
    </>
  );
}
