/** The JobManager or a TaskManager: figures, configuration, logs, threads. */

import { useEffect, useMemo, useRef } from "react";
import { usePolled } from "../../api/poll";
import type { Environment, KeyValue, LogFiles, Metric, TaskManagerDetail, ThreadDump } from "../../api/types";
import { href, useQuery } from "../../app/router";
import { bytes, metric, NONE } from "../../format/units";
import { Ago, Card, Empty, Facts, Failure, Loading, Meter, Time } from "../../parts/basic";
import { Options } from "../../parts/Options";
import { later } from "../../parts/later";
import { type Column, Table } from "../../parts/Table";
import { Tabs } from "../../parts/Tabs";
import { LogView } from "./LogView";

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
    ...(taskManager === null ? [{ id: "configuration", title: "Configuration" }] : []),
    { id: "log", title: "Log" },
    { id: "stdout", title: "Output" },
    { id: "files", title: "All files" },
    { id: "threads", title: "Threads" },
  ].map(({ id, title }) => ({ id, title, href: href([...path, id]) }));
  return (
    <>
      <h1>{taskManager === null ? "JobManager" : `TaskManager ${taskManager}`}</h1>
      <Tabs name="Pages of the process" tabs={tabs} current={current} />
      {current === "metrics" && (taskManager === null ? <Figures base={base} /> : <TaskManagerFigures base={base} />)}
      {current === "configuration" && <Configuration />}
      {current === "log" && <LogView key="log" base={base} file={`${base}/log`} name="log" />}
      {current === "stdout" && <LogView key="stdout" base={base} file={`${base}/stdout`} name="output" />}
      {current === "files" && <Files base={base} path={path} />}
      {current === "threads" && <Threads base={base} />}
    </>
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
            ["In use", `${used} of ${data.slotsNumber}`],
            ["Address", <code key="path">{data.path}</code>],
            ["CPU cores", data.hardware.cpuCores],
            ["Memory of the machine", bytes(data.hardware.physicalMemory)],
            ["Last heard of", data.timeSinceLastHeartbeat > 0 ? <Ago key="at" at={data.timeSinceLastHeartbeat} /> : NONE],
          ]}
        />
        <Meter label="slots in use" share={data.slotsNumber > 0 ? used / data.slotsNumber : 0} kind="slots" />
        {data.allocatedSlots.length === 0 ? (
          <Empty>No job has a slot here.</Empty>
        ) : (
          <Table
            name="slots"
            rows={data.allocatedSlots.map((slot, at) => ({ ...slot, at }))}
            columns={[
              {
                id: "job",
                title: "Job",
                cell: (slot) => (
                  <a href={href(["jobs", slot.jobId, "overview"])}>
                    <code>{slot.jobId}</code>
                  </a>
                ),
              },
              { id: "tasks", title: "Tasks", numeric: true, cell: (slot) => slot.assignedTasks },
            ]}
            rowKey={(slot) => String(slot.at)}
          />
        )}
      </Card>
      <Figures base={base} />
    </>
  );
}

/** Values that a chart keeps. */
const KEPT = 200;

/** What a metric is called here: Flink's names tell of a JVM that is not there. */
const NAMES: Record<string, string> = {
  "Status.JVM.Memory.Heap.Used": "Memory of the process",
  "Status.JVM.CPU.Load": "CPU load",
};

function Figures({ base }: { base: string }) {
  const names = usePolled<Metric[]>(`${base}/metrics`, 20).data;
  const list = names?.map(({ id }) => id).join(",");
  const { data, error, at } = usePolled<Metric[]>(list ? `${base}/metrics?get=${encodeURIComponent(list)}` : null);
  const past = useRef<{ times: number[]; memory: number[] }>({ times: [], memory: [] });
  const { times, memory } = useMemo(() => {
    const used = Number(data?.find(({ id }) => id === "Status.JVM.Memory.Heap.Used")?.value);
    const all = past.current;
    if (data && all.times.at(-1) !== at && Number.isFinite(used)) {
      past.current = { times: [...all.times, at].slice(-KEPT), memory: [...all.memory, used].slice(-KEPT) };
    }
    return { times: past.current.times, memory: [past.current.memory] };
  }, [data, at]);
  if (names?.length === 0) return <Empty>The process tells no metrics.</Empty>;
  if (!data) return error ? <Failure error={error} what="The metrics" /> : <Loading />;
  const columns: Column<Metric>[] = [
    { id: "name", title: "Metric", order: ({ id }) => id, cell: ({ id }) => <span title={id}>{NAMES[id] ?? id}</span> },
    { id: "value", title: "Value", numeric: true, order: ({ value }) => Number(value), cell: ({ id, value }) => metric(id, Number(value)) },
  ];
  return (
    <Card title="Metrics">
      {times.length > 1 && (
        <figure>
          <figcaption>Memory of the process</figcaption>
          <Chart
            label="memory of the process over time"
            times={times}
            values={memory}
            series={[{ name: "memory" }]}
            format={bytes}
            binary
          />
        </figure>
      )}
      <Table
        name="metrics"
        rows={data.filter(({ id }) => id !== "Status.JVM.Memory.Heap.Committed")}
        columns={columns}
        rowKey={({ id }) => id}
        text={({ id }) => id}
        sort="name"
      />
    </Card>
  );
}

function Configuration() {
  const { data, error } = usePolled<KeyValue[]>("jobmanager/config", 10);
  const environment = usePolled<Environment>("jobmanager/environment", 10).data;
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

function Threads({ base }: { base: string }) {
  const { data, error, at } = usePolled<ThreadDump>(`${base}/thread-dump`, 3);
  const rows = useMemo(() => data?.threadInfos.map((info, at) => ({ ...info, at })) ?? [], [data]);
  if (!data) return error ? <Failure error={error} what="The threads" /> : <Loading />;
  const columns: Column<(typeof rows)[number]>[] = [
    { id: "name", title: "Thread", order: (one) => one.threadName, cell: (one) => <code>{one.threadName}</code> },
    {
      id: "doing",
      title: "Doing",
      order: (one) => one.stringifiedThreadInfo,
      cell: (one) => <pre className="thread">{one.stringifiedThreadInfo.replace(`"${one.threadName}" `, "")}</pre>,
    },
  ];
  return (
    <Card
      title={`${rows.length} threads`}
      actions={
        <span className="faint">
          <Ago at={at} />
        </span>
      }
    >
      <Table
        name="threads"
        rows={rows}
        columns={columns}
        rowKey={(one) => String(one.at)}
        text={(one) => one.stringifiedThreadInfo}
        limit={100}
      />
    </Card>
  );
}
