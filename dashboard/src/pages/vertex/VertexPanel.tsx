/** One vertex beside the graph. */

import { useEffect } from "react";
import type { Job, Vertex, VertexFlow } from "../../api/types";
import { href, useQuery } from "../../app/router";
import { byteRate, bytes, compact, lag, NONE, percent, rate } from "../../format/units";
import { operatorsOf, shownName } from "../../graph/model";
import { Facts, State } from "../../parts/basic";
import { Tabs } from "../../parts/Tabs";
import { FlameGraphTab } from "./FlameGraphTab";
import { MetricsTab } from "./MetricsTab";
import { TapTab } from "./TapTab";
import { AccumulatorsTab, BackpressureTab, SubtasksTab, TaskManagersTab, WatermarksTab } from "./tables";

const TABS: [string, string][] = [
  ["subtasks", "Subtasks"],
  ["backpressure", "Load"],
  ["metrics", "Metrics"],
  ["watermarks", "Watermarks"],
  ["task-managers", "TaskManagers"],
  ["accumulators", "Accumulators"],
  ["flame-graph", "Flame graph"],
  ["tap", "Tap"],
];

interface Props {
  job: Job;
  vertex: Vertex;
  flow: VertexFlow | undefined;
  /** When `flow` was told, by the server's clock. */
  now: number;
  onClose: () => void;
}

function shares(flow: VertexFlow | undefined, which: "max" | "avg"): string {
  if (!flow?.busy) return NONE;
  const parts = [
    ["busy", flow.busy[which]],
    ["back-pressured", flow.backpressured?.[which]],
    ["idle", flow.idle?.[which]],
  ] as const;
  // A number stays with its word where there is no room for all of them in a line.
  return parts.map(([what, share]) => `${what} ${percent(share)}`.replaceAll(" ", "\u00a0")).join(" · ");
}

export function VertexPanel({ job, vertex, flow, now, onClose }: Props) {
  const [tab] = useQuery("tab", "subtasks");
  useEffect(() => {
    const close = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !document.querySelector("dialog[open]")) onClose();
    };
    window.addEventListener("keydown", close);
    return () => window.removeEventListener("keydown", close);
  }, [onClose]);
  const operators = operatorsOf(job.plan.nodes.find(({ id }) => id === vertex.id)?.description ?? "");
  const path = `jobs/${job.jid}/vertices/${vertex.id}`;
  const tabs = TABS.map(([id, title]) => ({ id, title, href: href(["jobs", job.jid, "overview"], { vertex: vertex.id, tab: id }) }));
  return (
    <section className="card panel" aria-label={`vertex ${vertex.name}`}>
      <header className="card-head">
        <h2>
          {shownName(vertex.name)} <State state={vertex.status} />
        </h2>
        <button type="button" className="quiet" onClick={onClose} aria-label="close the vertex">
          ✕
        </button>
      </header>
      {operators.length > 1 && operators.join(" → ") !== shownName(vertex.name) && (
        <p className="chain">
          {operators.map((operator, at) => (
            <span key={at}>
              {at > 0 && <span aria-hidden="true"> → </span>}
              {operator}
            </span>
          ))}
        </p>
      )}
      <Facts
        facts={[
          ["Parallelism", `${vertex.parallelism} of at most ${vertex.maxParallelism}`],
          ["Load of any subtask, at most", shares(flow, "max")],
          ["On average", shares(flow, "avg")],
          ["In", `${rate(flow?.["records-in-rate"])}, ${byteRate(flow?.["bytes-in-rate"])}`],
          ["Out", `${rate(flow?.["records-out-rate"])}, ${byteRate(flow?.["bytes-out-rate"])}`],
          ["Watermark lag", lag(flow?.watermark, now)],
          ["Skew", flow?.skew === null || flow?.skew === undefined ? NONE : `${compact(flow.skew)} %`],
          ["State", bytes(flow?.["state-size"])],
        ]}
      />
      <Tabs name="Pages of the vertex" tabs={tabs} current={tab} />
      {tab === "subtasks" && <SubtasksTab path={path} job={job} vertex={vertex} />}
      {tab === "backpressure" && <BackpressureTab path={path} />}
      {tab === "metrics" && <MetricsTab path={path} parallelism={vertex.parallelism} />}
      {tab === "watermarks" && <WatermarksTab path={path} job={job} vertex={vertex} />}
      {tab === "task-managers" && <TaskManagersTab path={path} job={job} vertex={vertex} />}
      {tab === "accumulators" && <AccumulatorsTab path={path} />}
      {tab === "flame-graph" && <FlameGraphTab path={path} vertex={vertex} />}
      {tab === "tap" && <TapTab path={path} parallelism={vertex.parallelism} />}
    </section>
  );
}
