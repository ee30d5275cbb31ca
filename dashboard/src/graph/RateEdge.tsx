/** An edge with its records a second and how they are divided among subtasks. */

import { BaseEdge, type Edge, EdgeLabelRenderer, type EdgeProps, getBezierPath, useStore as useFlowStore } from "@xyflow/react";
import { memo } from "react";
import { useStore } from "../api/store";
import { rate } from "../format/units";
import { type Bypass, bypassPath } from "./column";
import { edgeRate, type FlowFigures } from "./flow";
import { NODE_HEIGHT, NODE_WIDTH } from "./layout";
import type { GraphEdge } from "./model";

export type RateEdgeData = Edge<
  { edge: GraphEdge; edges: readonly GraphEdge[]; figures: FlowFigures; bypass?: Bypass | undefined },
  "rate"
>;

/** The browser remembers when it was first drawn (Element Timing). */
const TIMED = { elementtiming: "edge" };

const READABLE = 0.5;

function RateEdgeView({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, data }: EdgeProps<RateEdgeData>) {
  const past = data?.bypass
    ? bypassPath({ x: sourceX - NODE_WIDTH / 2, y: sourceY - NODE_HEIGHT }, { x: targetX - NODE_WIDTH / 2, y: targetY }, data.bypass)
    : null;
  const [curve, middleX, middleY] = getBezierPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition });
  const { path, x, y } = past ?? { path: curve, x: middleX, y: middleY };
  const readable = useFlowStore((state) => state.transform[2] >= READABLE);
  return (
    <>
      <BaseEdge path={path} className="edge" />
      {readable && data && (
        <EdgeLabelRenderer>
          <div className="edge-label" style={{ transform: `${past ? "" : "translate(-50%, -50%) "}translate(${x}px, ${y}px)` }}>
            <Rate {...data} />
            <span className="edge-strategy" {...TIMED}>
              {data.edge.strategy.toLowerCase()}
            </span>
          </div>
        </EdgeLabelRenderer>
      )}
    </>
  );
}

function Rate({ edge, edges, figures }: { edge: GraphEdge; edges: readonly GraphEdge[]; figures: FlowFigures }) {
  const from = useStore(figures.vertex(edge.from)).flow;
  const to = useStore(figures.vertex(edge.to)).flow;
  const told = useStore(figures.edge(edge.id));
  // A program that was compiled with an older release does not count them.
  const records = told ?? edgeRate(edge, edges, from, to);
  return records === null ? null : <b>{rate(records)}</b>;
}

export const RateEdge = memo(RateEdgeView);
