/** A vertex in the graph. */

import { Handle, type Node, type NodeProps, Position, useStore as useFlowStore } from "@xyflow/react";
import { memo } from "react";
import { type Store, useStore } from "../api/store";
import { href, useRoute } from "../app/router";
import { bytes, compact, count, lag, percent, rate } from "../format/units";
import { Spark } from "../parts/Spark";
import type { FlowFigures, VertexFigures } from "./flow";
import { loadColor } from "./flow";
import type { GraphVertex } from "./model";

export type VertexNodeData = Node<{ vertex: GraphVertex; figures: FlowFigures; downwards: boolean }, "vertex">;

/** Below this scale nobody can read figures. */
const READABLE = 0.42;

function VertexNodeView({ id, data }: NodeProps<VertexNodeData>) {
  const { vertex, figures, downwards } = data;
  const readable = useFlowStore((state) => state.transform[2] >= READABLE);
  return (
    <>
      <Handle type="target" position={downwards ? Position.Top : Position.Left} isConnectable={false} />
      <VertexBox vertex={vertex} figures={figures} readable={readable} key={id} />
      <Handle type="source" position={downwards ? Position.Bottom : Position.Right} isConnectable={false} />
    </>
  );
}

/** It watches only what can be seen at any scale; the figures watch themselves. */
function VertexBox({ vertex, figures, readable }: { vertex: GraphVertex; figures: FlowFigures; readable: boolean }) {
  const store = figures.vertex(vertex.id);
  const color = useStore(store, ({ flow }) => loadColor(flow));
  const bottleneck = useStore(store, (known) => known.bottleneck);
  const parallelism = useStore(store, ({ flow }) => flow?.parallelism ?? vertex.parallelism);
  const lit = useStore(figures.lit, (lit) => {
    if (lit === null || lit.over === vertex.id) return "";
    if (lit.upstream.has(vertex.id)) return "upstream";
    return lit.downstream.has(vertex.id) ? "downstream" : "dim";
  });
  const { path, query } = useRoute();
  const opened = query.get("vertex") === vertex.id;
  const target = path[0] === "jobs" && path[1] ? href(["jobs", path[1], "overview"], { vertex: vertex.id }) : undefined;
  const classes = ["vertex", bottleneck ? "vertex-bottleneck" : "", lit ? `vertex-${lit}` : "", opened ? "vertex-open" : ""];
  const title = `${vertex.name}, parallelism ${parallelism}${bottleneck ? ", the bottleneck" : ""}`;
  return (
    <a className={classes.join(" ").trim()} href={target} style={{ borderLeftColor: color }} title={title} draggable={false}>
      {bottleneck && <span className="bottleneck-tag">bottleneck</span>}
      <span className="vertex-head">
        <span className="vertex-name">{vertex.name}</span>
        <span className="vertex-parallelism" title="parallelism">
          ×{parallelism}
        </span>
      </span>
      {readable && <Figures store={store} />}
    </a>
  );
}

function Figures({ store }: { store: Store<VertexFigures> }) {
  const { flow, past, now } = useStore(store);
  if (!flow) return null;
  return (
    <>
      {flow.status === "RUNNING" ? (
        <span className="load">
          <LoadBar busy={flow.busy?.max ?? 0} waits={flow.backpressured?.max ?? 0} />
          <span className="load-text">
            <b>{percent(flow.busy?.max)}</b> busy · {percent(flow.backpressured?.max)} back-pressured
          </span>
        </span>
      ) : (
        <span className={`vertex-status state-${flow.status.toLowerCase()}`}>{flow.status.toLowerCase()}</span>
      )}
      <span className="vertex-rates">
        <span title={`${count(flow["records-in"])} records so far`}>{rate(flow["records-in-rate"])} in</span>
        <Spark values={past} />
        <span title={`${count(flow["records-out"])} records so far`}>{rate(flow["records-out-rate"])} out</span>
      </span>
      <span className="vertex-more">
        {flow.watermark !== null && <span title="how far the watermark is behind">lag {lag(flow.watermark, now)}</span>}
        {flow.skew !== null && flow.skew >= 10 && <span title="how unequal the subtasks' shares are">skew {compact(flow.skew)} %</span>}
        {flow["state-size"] !== null && flow["state-size"] > 0 && (
          <span title="state in the last checkpoint">state {bytes(flow["state-size"])}</span>
        )}
      </span>
    </>
  );
}

/** Busy and back-pressured; what is left is idle. */
function LoadBar({ busy, waits }: { busy: number; waits: number }) {
  const most = Math.max(1, busy + waits);
  return (
    <span className="load-bar" aria-hidden="true">
      <span className="fill-busy" style={{ width: `${(busy / most) * 100}%` }} />
      <span className="fill-waits" style={{ width: `${(waits / most) * 100}%` }} />
    </span>
  );
}

export const VertexNode = memo(VertexNodeView);
