/** A vertex in the graph. */

import { type Node, type NodeProps, useStore as useFlowStore } from "@xyflow/react";
import { memo } from "react";
import { type Store, useStore } from "../api/store";
import type { VertexFlow } from "../api/types";
import { href, useRoute } from "../app/router";
import { bytes, compact, count, lag, percent, rate } from "../format/units";
import { Spark } from "../parts/Spark";
import type { FlowFigures, VertexFigures } from "./flow";
import { loadColor } from "./flow";
import type { GraphVertex } from "./model";

export type VertexNodeData = Node<{ vertex: GraphVertex; figures: FlowFigures; many: boolean; downwards: boolean }, "vertex">;

/** Below this scale nobody can read figures. */
export const READABLE = 0.42;

function VertexNodeView({ data }: NodeProps<VertexNodeData>) {
  const { vertex, figures, many, downwards } = data;
  const readable = useFlowStore((state) => state.transform[2] >= READABLE);
  return (
    <>
      <Ends downwards={downwards} />
      {many && !readable ? <FarVertex vertex={vertex} /> : <VertexBox vertex={vertex} figures={figures} readable={readable} />}
    </>
  );
}

/** Where edges end and start. The library's own elements for that are made to be dragged, which costs much for hundreds of vertices. */
function Ends({ downwards }: { downwards: boolean }) {
  const [target, source] = downwards ? ["top", "bottom"] : ["left", "right"];
  return (
    <>
      <span className={`target end end-${target}`} data-handlepos={target} />
      <span className={`source end end-${source}`} data-handlepos={source} />
    </>
  );
}

function useTarget(vertex: GraphVertex): string | undefined {
  const { path } = useRoute();
  return path[0] === "jobs" && path[1] ? href(["jobs", path[1], "overview"], { vertex: vertex.id }) : undefined;
}

/** What is to be seen of it is drawn by `FarView`. */
function FarVertex({ vertex }: { vertex: GraphVertex }) {
  const title = `${vertex.name}, parallelism ${vertex.parallelism}`;
  return <a className="vertex-far" href={useTarget(vertex)} title={title} aria-label={title} draggable={false} />;
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
  const opened = useRoute().query.get("vertex") === vertex.id;
  const target = useTarget(vertex);
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

/** A vertex that has ended has no rates but totals. */
const ENDED = ["FINISHED", "CANCELED", "FAILED"];

/** The browser remembers when it was first drawn (Element Timing). */
const TIMED = { elementtiming: "vertex" };

function Figures({ store }: { store: Store<VertexFigures> }) {
  const { flow, past, now } = useStore(store);
  if (!flow) return null;
  return (
    <>
      {flow.status === "RUNNING" ? (
        <span className="load">
          <LoadBar busy={flow.busy?.max ?? 0} waits={flow.backpressured?.max ?? 0} />
          <span className="load-shares" title={`of any subtask the most; on average ${averages(flow)}`}>
            <LoadShare what="busy" share={flow.busy?.max} />
            <LoadShare what="back-pressured" share={flow.backpressured?.max} />
            <LoadShare what="idle" share={flow.idle?.max} />
          </span>
        </span>
      ) : (
        <span className={`vertex-status state-${flow.status.toLowerCase()}`}>{flow.status.toLowerCase()}</span>
      )}
      {ENDED.includes(flow.status) ? (
        <span className="vertex-rates">
          <span title={`${count(flow["records-in"])} records in all`}>{compact(flow["records-in"])} in</span>
          <span title={`${count(flow["records-out"])} records in all`}>{compact(flow["records-out"])} out</span>
        </span>
      ) : (
        <span className="vertex-rates">
          <span title={`${count(flow["records-in"])} records so far`} {...TIMED}>
            {rate(flow["records-in-rate"])} in
          </span>
          <Spark values={past} />
          <span title={`${count(flow["records-out"])} records so far`}>{rate(flow["records-out-rate"])} out</span>
        </span>
      )}
      <span className="vertex-more">
        {flow.watermark !== null && (
          <span title="how far the watermark is behind">
            {flow.watermark < 9e18 && "lag "}
            {lag(flow.watermark, now)}
          </span>
        )}
        {flow.skew !== null && flow.skew >= 10 && <span title="how unequal the subtasks' shares are">skew {compact(flow.skew)} %</span>}
        {flow["state-size"] !== null && flow["state-size"] > 0 && (
          <span title="state in the last checkpoint">state {bytes(flow["state-size"])}</span>
        )}
      </span>
    </>
  );
}

/** A share with its word below it: beside each other three of them would need more room than there is. */
function LoadShare({ what, share }: { what: string; share: number | undefined }) {
  return (
    <span className="load-share">
      <b>{percent(share)}</b> <span>{what}</span>
    </span>
  );
}

function averages({ busy, backpressured, idle }: VertexFlow): string {
  return `busy ${percent(busy?.avg)}, back-pressured ${percent(backpressured?.avg)}, idle ${percent(idle?.avg)}`;
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
