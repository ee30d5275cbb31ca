/** Where the time goes: stacks of the threads of a vertex, widest where they were seen most often. */

import { type ReactNode, useMemo, useState } from "react";
import { usePolled } from "../../api/poll";
import type { FlameGraph, Frame, Vertex } from "../../api/types";
import { useQuery } from "../../app/router";
import { percent } from "../../format/units";
import { Ago, Empty, Failure, Loading } from "../../parts/basic";

const KINDS: [string, string][] = [
  ["full", "All"],
  ["on_cpu", "On CPU"],
  ["off_cpu", "Off CPU"],
];

/** What the server says instead of a time, other than that it has no samples yet. */
const ENDED = -1;
const SWITCHED_OFF = -2;

export function FlameGraphTab({ path, vertex }: { path: string; vertex: Vertex }) {
  const [kind, setKind] = useQuery("kind", "on_cpu");
  const [subtask, setSubtask] = useQuery("subtask");
  const query = `type=${kind}${subtask ? `&subtaskindex=${subtask}` : ""}`;
  const { data, error } = usePolled<FlameGraph>(`${path}/flamegraph?${query}`);
  return (
    <>
      <div className="choices">
        <div className="group" role="group" aria-label="Which samples">
          {KINDS.map(([id, title]) => (
            <button key={id} type="button" aria-pressed={kind === id} onClick={() => setKind(id)}>
              {title}
            </button>
          ))}
        </div>
        <label>
          Subtask
          <select value={subtask} onChange={(event) => setSubtask(event.target.value)}>
            <option value="">all</option>
            {Array.from({ length: Math.min(vertex.parallelism, 1000) }, (_, at) => (
              <option key={at} value={at}>
                {at}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Failure error={error} what="The flame graph" />
      {!data && !error && <Loading />}
      {data && <Flames graph={data} status={vertex.status} />}
    </>
  );
}

/** Why there is no flame graph yet, or no more; `null`: samples are being taken. */
export function absent(endTimestamp: number, status: string): string | null {
  if (endTimestamp === SWITCHED_OFF) return "Flame graphs are switched off. Set `rest.flamegraph.enabled: true` for the cluster.";
  if (endTimestamp === ENDED) return "The vertex does not run any more: samples are taken of running subtasks.";
  if (endTimestamp < 0 && !["RUNNING", "INITIALIZING", "DEPLOYING"].includes(status))
    return "The vertex waits to be started: samples are taken of running subtasks.";
  return null;
}

function Flames({ graph, status }: { graph: FlameGraph; status: string }): ReactNode {
  const [zoomed, setZoomed] = useState<Frame | null>(null);
  const root = graph.data;
  const why = absent(graph.endTimestamp, status);
  if (why) return <Empty>{why}</Empty>;
  if (graph.endTimestamp < 0 || !root) return <Loading what="Taking samples" />;
  const top = zoomed ?? root;
  if (top.value === 0) return <Empty>No sample: no thread was seen in this state.</Empty>;
  return (
    <>
      <p className="faint">
        {root.value} samples, <Ago at={graph.endTimestamp} />.{" "}
        {zoomed && (
          <button type="button" className="quiet" onClick={() => setZoomed(null)}>
            Show all
          </button>
        )}
      </p>
      <Rows top={top} total={root.value} onZoom={setZoomed} />
    </>
  );
}

interface Box {
  frame: Frame;
  left: number;
  width: number;
}

/** Narrower boxes, in shares of the whole, are not drawn. */
const NARROW = 0.002;

/** The boxes of a graph, row by row. */
export function boxes(top: Frame): Box[][] {
  const rows: Box[][] = [];
  let row: Box[] = [{ frame: top, left: 0, width: 1 }];
  while (row.length > 0) {
    rows.push(row);
    row = row.flatMap(({ frame, left, width }) => {
      let at = left;
      return (frame.children ?? []).map((child) => {
        const share = frame.value > 0 ? (child.value / frame.value) * width : 0;
        const box = { frame: child, left: at, width: share };
        at += share;
        return box;
      });
    });
    row = row.filter(({ width }) => width >= NARROW);
  }
  return rows;
}

function Rows({ top, total, onZoom }: { top: Frame; total: number; onZoom: (frame: Frame) => void }) {
  const rows = useMemo(() => boxes(top), [top]);
  return (
    <div className="flames">
      {rows.map((row, depth) => (
        <div className="flame-row" key={depth}>
          {row.map(({ frame, left, width }) => (
            <button
              type="button"
              key={`${left}-${frame.name}`}
              className={`flame flame-${hash(frame.name) % 6}`}
              style={{ left: `${left * 100}%`, width: `${width * 100}%` }}
              title={`${frame.name}: ${percent(frame.value / total)}`}
              onClick={() => onZoom(frame)}
            >
              {frame.name}
            </button>
          ))}
        </div>
      ))}
    </div>
  );
}

function hash(text: string): number {
  let value = 0;
  for (const letter of text) value = (value * 31 + letter.charCodeAt(0)) >>> 0;
  return value;
}
