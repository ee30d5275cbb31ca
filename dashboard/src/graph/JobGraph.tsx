/** The graph of a job. Its form changes with the job; its figures change all the time and are watched by each vertex itself. */

import { Background, Controls, type NodeMouseHandler, ReactFlow, ReactFlowProvider } from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { useCallback, useMemo } from "react";
import { useStore } from "../api/store";
import { dark } from "../app/settings";
import type { FlowFigures } from "./flow";
import { layout, NODE_HEIGHT, NODE_WIDTH } from "./layout";
import { type Graph, reachable } from "./model";
import { RateEdge, type RateEdgeData } from "./RateEdge";
import { VertexNode, type VertexNodeData } from "./VertexNode";

const NODE_TYPES = { vertex: VertexNode };
const EDGE_TYPES = { rate: RateEdge };

export default function JobGraph({ graph, figures }: { graph: Graph; figures: FlowFigures }) {
  const isDark = useStore(dark);
  const nodes = useMemo<VertexNodeData[]>(() => {
    const places = layout(graph);
    return graph.vertices.map((vertex) => ({
      id: vertex.id,
      type: "vertex",
      position: places.get(vertex.id) ?? { x: 0, y: 0 },
      width: NODE_WIDTH,
      height: NODE_HEIGHT,
      data: { vertex, figures, open: false },
      ariaLabel: vertex.name,
    }));
  }, [graph, figures]);
  const edges = useMemo<RateEdgeData[]>(
    () =>
      graph.edges.map((edge) => ({
        id: edge.id,
        source: edge.from,
        target: edge.to,
        type: "rate",
        data: { edge, edges: graph.edges, figures },
        ariaLabel: `${edge.strategy.toLowerCase()} edge`,
      })),
    [graph, figures],
  );
  const enter = useCallback<NodeMouseHandler>(
    (_, node) =>
      figures.lit.set({
        over: node.id,
        upstream: reachable(graph.edges, node.id, false),
        downstream: reachable(graph.edges, node.id, true),
      }),
    [graph, figures],
  );
  const leave = useCallback(() => figures.lit.set(null), [figures]);
  return (
    <ReactFlowProvider>
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        colorMode={isDark ? "dark" : "light"}
        fitView
        fitViewOptions={{ padding: 0.12, maxZoom: 1.1 }}
        minZoom={0.03}
        maxZoom={1.6}
        nodesDraggable={false}
        nodesConnectable={false}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        onlyRenderVisibleElements={graph.vertices.length > 60}
        onNodeMouseEnter={enter}
        onNodeMouseLeave={leave}
        zoomOnScroll={false}
        preventScrolling={false}
        zoomActivationKeyCode="Control"
      >
        <Background gap={24} size={1} />
        <Controls showInteractive={false} />
      </ReactFlow>
    </ReactFlowProvider>
  );
}
