/** The graph of a job with its figures, and its vertices in a table; one of them may be opened. */

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { usePolled } from "../../api/poll";
import type { GraphFlow, Job, Vertex, VertexFlow } from "../../api/types";
import { href, setQuery, useRoute } from "../../app/router";
import { NONE, rate } from "../../format/units";
import { FlowFigures } from "../../graph/flow";
import { JobGraph } from "../../graph/JobGraphLater";
import { graphOf, shownName } from "../../graph/model";
import { Ago, Card, Facts, Failure, Meter, Sentence, Since, State, Tasks } from "../../parts/basic";
import { type Column, Table } from "../../parts/Table";
import { hasEnded } from "../jobList";
import { VertexPanel } from "../restLater";
import { Records } from "../vertex/records";
import { Waiting } from "./Waiting";

/** Whether a vertex that is opened stands below the graph, as the style says. */
const below = window.matchMedia("(max-width: 1279px)");

interface Row {
  vertex: Vertex;
  flow: VertexFlow | undefined;
  job: string;
}

/** Sources receive from outside and sinks send there: what they count themselves is known to `flow`. */
const received = ({ vertex, flow }: Row) => flow?.["records-in"] ?? vertex.metrics["read-records"];
const sent = ({ vertex, flow }: Row) => flow?.["records-out"] ?? vertex.metrics["write-records"];

const COLUMNS: Column<Row>[] = [
  {
    id: "name",
    title: "Vertex",
    order: ({ vertex }) => vertex.name,
    cell: ({ vertex, job }) => (
      <a className="strong" href={href(["jobs", job, "overview"], { vertex: vertex.id })}>
        {shownName(vertex.name)}
      </a>
    ),
  },
  { id: "status", title: "Status", order: ({ vertex }) => vertex.status, cell: ({ vertex }) => <State state={vertex.status} /> },
  { id: "tasks", title: "Tasks", order: ({ vertex }) => vertex.parallelism, cell: ({ vertex }) => <Tasks tasks={vertex.tasks} /> },
  {
    id: "busy",
    title: "Busy",
    order: ({ flow }) => flow?.busy?.max,
    cell: ({ flow }) => (flow?.busy ? <Meter label="busy" share={flow.busy.max} /> : NONE),
  },
  {
    id: "waits",
    title: "Back-pressured",
    order: ({ flow }) => flow?.backpressured?.max,
    cell: ({ flow }) => (flow?.backpressured ? <Meter label="back-pressured" share={flow.backpressured.max} kind="waits" /> : NONE),
  },
  {
    id: "in-rate",
    title: "In",
    numeric: true,
    order: ({ flow }) => flow?.["records-in-rate"],
    cell: ({ flow }) => rate(flow?.["records-in-rate"]),
  },
  {
    id: "out-rate",
    title: "Out",
    numeric: true,
    order: ({ flow }) => flow?.["records-out-rate"],
    cell: ({ flow }) => rate(flow?.["records-out-rate"]),
  },
  {
    id: "received",
    title: "Received",
    numeric: true,
    order: received,
    cell: (row) => <Records records={received(row)} size={row.vertex.metrics["read-bytes"]} />,
  },
  {
    id: "sent",
    title: "Sent",
    numeric: true,
    order: sent,
    cell: (row) => <Records records={sent(row)} size={row.vertex.metrics["write-bytes"]} />,
  },
  {
    id: "duration",
    title: "Duration",
    numeric: true,
    order: ({ vertex }) => vertex.duration,
    cell: ({ vertex }) => <Since start={vertex["start-time"]} end={vertex["end-time"]} />,
  },
];

const key = ({ vertex }: Row) => vertex.id;
const text = ({ vertex }: Row) => vertex.name;

export function GraphTab({ job }: { job: Job }) {
  const { data: flow, error } = usePolled<GraphFlow>(`jobs/${job.jid}/flow`);
  const { query } = useRoute();
  const opened = query.get("vertex");
  const [figures] = useState(() => new FlowFigures(flow));
  const fresh = useMemo(() => graphOf(job.plan, job.vertices), [job]);
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the same key is the same graph, which must not be laid out again
  const graph = useMemo(() => fresh, [fresh.key]);
  useLayoutEffect(() => {
    if (flow) figures.update(flow);
  }, [flow, figures]);
  const rows = useMemo(() => {
    const flows = new Map(flow?.vertices.map((vertex) => [vertex.id, vertex]));
    return job.vertices.map((vertex) => ({ vertex, flow: flows.get(vertex.id), job: job.jid }));
  }, [job, flow]);
  const panel = useRef<HTMLDivElement>(null);
  const above = useRef<HTMLElement>(null);
  // Below the graph, rather than beside it, nobody would see that it has opened.
  useEffect(() => {
    const element = panel.current;
    if (!opened || !element || !below.matches) return;
    return keepInView(element, above.current);
  }, [opened]);
  const vertex = opened ? job.vertices.find(({ id }) => id === opened) : undefined;
  return (
    <>
      <Failure error={error} what="The figures of the graph" />
      <Waiting job={job} />
      <Summary job={job} flow={flow} />
      <div className={vertex ? "graph-and-panel" : ""}>
        <section ref={above} className={`card graph-card ${graph.vertices.length > 3 ? "" : "graph-small"}`} aria-label="Job graph">
          <JobGraph graph={graph} figures={figures} />
          <Legend />
        </section>
        {vertex && (
          <div ref={panel} className="panel-place">
            <VertexPanel
              key={vertex.id}
              job={job}
              vertex={vertex}
              flow={flow?.vertices.find(({ id }) => id === vertex.id)}
              now={flow?.now ?? job.now}
              onClose={() => setQuery({ vertex: null, tab: null })}
            />
          </div>
        )}
      </div>
      <Card title="Vertices">
        <Table name="vertices" rows={rows} columns={COLUMNS} rowKey={key} text={text} limit={20} />
      </Card>
    </>
  );
}

/** So long a graph may take until it has its height, ms. */
const SETTLED = 4000;

/** Shows an element, and goes on while what is above it grows, unless the reader does something. */
function keepInView(element: HTMLElement, above: HTMLElement | null): () => void {
  const show = () => element.scrollIntoView({ block: "start" });
  const watch = new ResizeObserver(show);
  const control = new AbortController();
  const stop = () => {
    watch.disconnect();
    clearTimeout(timer);
    control.abort();
  };
  const timer = setTimeout(stop, SETTLED);
  for (const event of ["wheel", "touchstart", "keydown", "pointerdown"]) window.addEventListener(event, stop, { signal: control.signal });
  show();
  watch.observe(element);
  if (above) watch.observe(above);
  return stop;
}

/** What stands out, before the details. */
function Summary({ job, flow }: { job: Job; flow: GraphFlow | undefined }) {
  if (!flow) return null;
  const slow = flow.bottleneck && job.vertices.find(({ id }) => id === flow.bottleneck?.vertex);
  const last = flow["last-checkpoint"];
  const sources = job.plan.nodes.filter((node) => !node.inputs?.length).map(({ id }) => id);
  const read = flow.vertices.filter(({ id }) => sources.includes(id)).map((vertex) => vertex["records-in-rate"]);
  const known = read.filter((value) => value !== null);
  return (
    <>
      {slow && flow.bottleneck && (
        <p className="notice notice-warn bottleneck-line">
          <b>Bottleneck: </b>
          <a href={href(["jobs", job.jid, "overview"], { vertex: slow.id })}>{shownName(slow.name)}</a> –{" "}
          <Sentence text={flow.bottleneck.reason} />.
        </p>
      )}
      {!hasEnded(job.state) && (
        <Facts
          facts={[
            ["Read by sources", rate(known.length > 0 ? known.reduce((sum, value) => sum + value, 0) : null)],
            [
              "Last checkpoint",
              last ? (
                <a href={href(["jobs", job.jid, "checkpoints"])}>
                  {last.status === "FAILED" ? <span className="bad">failed </span> : ""}
                  <Ago at={last["ended-at"]} />
                </a>
              ) : (
                "none yet"
              ),
            ],
            ["Restarts", flow.restarts > 0 ? <a href={href(["jobs", job.jid, "exceptions"])}>{flow.restarts}</a> : 0],
            ["Tasks", <Tasks key="tasks" tasks={sumTasks(flow.vertices)} />],
          ]}
        />
      )}
    </>
  );
}

function sumTasks(vertices: readonly VertexFlow[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const { tasks } of vertices) for (const [state, number] of Object.entries(tasks)) sum[state] = (sum[state] ?? 0) + number;
  return sum;
}

function Legend() {
  return (
    <p className="legend" aria-hidden="true">
      <span className="swatch swatch-idle" /> idle <span className="swatch swatch-busy" /> busy <span className="swatch swatch-waits" />{" "}
      back-pressured
    </p>
  );
}
