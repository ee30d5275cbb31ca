/** The graph of a job. Its form changes with the job; its figures change all the time and are watched by each vertex itself. */

import {
  Background,
  Controls,
  type NodeMouseHandler,
  ReactFlow,
  ReactFlowProvider,
  useStore as useFlowStore,
  useReactFlow,
} from "@xyflow/react";
import { useCallback, useEffect, useMemo, useSyncExternalStore } from "react";
import { useStore } from "../api/store";
import { useRoute } from "../app/router";
import { dark } from "../app/settings";
import type { FlowFigures } from "./flow";
import { layout, NODE_HEIGHT, NODE_WIDTH } from "./layout";
import { type Graph, reachable } from "./model";
import { RateEdge, type RateEdgeData } from "./RateEdge";
import { VertexNode, type VertexNodeData } from "./VertexNode";

const NODE_TYPES = { vertex: VertexNode };
const EDGE_TYPES = { rate: RateEdge };

const FIT = { padding: 0.12, maxZoom: 1.1 };

const small = window.matchMedia("(max-width: 640px)");

function watchSize(listener: () => void): () => void {
  small.addEventListener("change", listener);
  return () => small.removeEventListener("change", listener);
}

function useNarrow(): boolean {
  return useSyncExternalStore(watchSize, () => small.matches);
}

/** A smaller scale than this is hard to read: then the opened vertex is shown rather than the whole graph. */
const SMALL = 0.6;

/** Shows the graph again when there is more or less room for it, or the vertex that is opened. */
function Refit() {
  const width = useFlowStore((state) => state.width);
  const height = useFlowStore((state) => state.height);
  const { fitView, getNode, getNodes, getNodesBounds, setCenter } = useReactFlow();
  const opened = useRoute().query.get("vertex");
  useEffect(() => {
    if (width === 0 || height === 0) return;
    const whole = getNodesBounds(getNodes());
    const scale = Math.min(width / whole.width, height / whole.height) / (1 + 2 * FIT.padding);
    const node = opened ? getNode(opened) : undefined;
    if (node && scale < SMALL) {
      void setCenter(node.position.x + NODE_WIDTH / 2, node.position.y + NODE_HEIGHT / 2, { zoom: SMALL + 0.15 });
    } else {
      void fitView(FIT);
    }
  }, [width, height, opened, fitView, getNode, getNodes, getNodesBounds, setCenter]);
  return null;
}

export function JobGraph({ graph, figures }: { graph: Graph; figures: FlowFigures }) {
  const isDark = useStore(dark);
  const narrow = useNarrow();
  const nodes = useMemo<VertexNodeData[]>(() => {
    const places = layout(graph, narrow);
    return graph.vertices.map((vertex) => ({
      id: vertex.id,
      type: "vertex",
      position: places.get(vertex.id) ?? { x: 0, y: 0 },
      width: NODE_WIDTH,
      height: NODE_HEIGHT,
      data: { vertex, figures, downwards: narrow },
      ariaLabel: vertex.name,
    }));
  }, [graph, figures, narrow]);
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
        fitViewOptions={FIT}
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
        <Controls showInteractive={false} fitViewOptions={FIT} />
        <Refit />
      </ReactFlow>
    </ReactFlowProvider>
  );
}
