/** An edge with its records a second and how they are divided among subtasks. */

import { BaseEdge, type Edge, EdgeLabelRenderer, type EdgeProps, getBezierPath, useStore as useFlowStore } from "@xyflow/react";
import { memo } from "react";
import { useStore } from "../api/store";
import { rate } from "../format/units";
import { edgeRate, type FlowFigures } from "./flow";
import type { GraphEdge } from "./model";

export type RateEdgeData = Edge<{ edge: GraphEdge; edges: readonly GraphEdge[]; figures: FlowFigures }, "rate">;

const READABLE = 0.5;

function RateEdgeView({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, data }: EdgeProps<RateEdgeData>) {
  const [path, x, y] = getBezierPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition });
  const readable = useFlowStore((state) => state.transform[2] >= READABLE);
  return (
    <>
      <BaseEdge path={path} className="edge" />
      {readable && data && (
        <EdgeLabelRenderer>
          <div className="edge-label" style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y}px)` }}>
            <Rate {...data} />
            <span className="edge-strategy">{data.edge.strategy.toLowerCase()}</span>
          </div>
        </EdgeLabelRenderer>
      )}
    </>
  );
}

function Rate({ edge, edges, figures }: { edge: GraphEdge; edges: readonly GraphEdge[]; figures: FlowFigures }) {
  const from = useStore(figures.vertex(edge.from)).flow;
  const to = useStore(figures.vertex(edge.to)).flow;
  const records = edgeRate(edge, edges, from, to);
  return records === null ? null : <b>{rate(records)}</b>;
}

export const RateEdge = memo(RateEdgeView);
