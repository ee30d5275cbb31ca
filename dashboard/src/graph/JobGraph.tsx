/** The graph of a job. Its form changes with the job; its figures change all the time and are watched by each vertex itself. */

import {
  Background,
  Controls,
  type NodeHandle,
  type NodeMouseHandler,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useStore as useFlowStore,
  useReactFlow,
} from "@xyflow/react";
import { useCallback, useEffect, useMemo, useSyncExternalStore } from "react";
import { useStore } from "../api/store";
import { useRoute } from "../app/router";
import { dark } from "../app/settings";
import { type Columned, columnLayout, fitsColumn } from "./column";
import type { FlowFigures } from "./flow";
import { FarView } from "./FarView";
import { layout, NODE_HEIGHT, NODE_WIDTH, type Place, within } from "./layout";
import { type Graph, reachable } from "./model";
import { RateEdge, type RateEdgeData } from "./RateEdge";
import { READABLE, VertexNode, type VertexNodeData } from "./VertexNode";

const NODE_TYPES = { vertex: VertexNode };
const EDGE_TYPES = { rate: RateEdge };

/** Below it there is room for the legend. */
const FIT = { padding: { top: "24px", x: "5%", bottom: "40px" }, maxZoom: 1.1 } as const;

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
    const scale = Math.min((width * 0.9) / whole.width, (height - 64) / whole.height);
    const node = opened ? getNode(opened) : undefined;
    if (node && scale < SMALL) {
      const zoom = SMALL + 0.15;
      const middle = [node.position.x + NODE_WIDTH / 2, node.position.y + NODE_HEIGHT / 2] as const;
      const x = within(middle[0], whole.x, whole.width, width / zoom);
      void setCenter(x, within(middle[1], whole.y, whole.height, height / zoom), { zoom });
    } else {
      void fitView(FIT);
    }
  }, [width, height, opened, fitView, getNode, getNodes, getNodesBounds, setCenter]);
  return null;
}

/** Left and right of a column, px. */
const SIDE = 10;

/** Above a column, where the first vertex may have a mark, and below it, where the legend is, px. */
const [ABOVE, BELOW] = [18, 40];

/** Above a graph that is no column, px. */
const ABOVE_WHOLE = 40;

function columnScale({ left }: Columned, width: number): number {
  return Math.min(1.1, (width - 2 * SIDE) / (left + NODE_WIDTH));
}

/** The height of a column at its scale. In CSS, so that it is right before the width is measured; `100cqw` is the width that there is. */
function columnHeight({ height, left }: Columned): string {
  const share = height / (left + NODE_WIDTH);
  return `calc(min(${1.1 * height}px, ${share} * (100cqw - ${2 * SIDE}px)) + ${ABOVE + BELOW}px)`;
}

/** As high as a graph is that is as wide as there is room for. */
function wholeHeight(places: ReadonlyMap<string, Place>): string {
  let [right, bottom] = [0, 0];
  let [left, top] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const { x, y } of places.values()) {
    [left, right] = [Math.min(left, x), Math.max(right, x + NODE_WIDTH)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y + NODE_HEIGHT)];
  }
  if (places.size === 0) return "220px";
  const height = bottom - top;
  const share = height / (right - left);
  return `clamp(220px, min(${FIT.maxZoom * height}px, ${90 * share}cqw) + ${ABOVE_WHOLE + BELOW}px, 62vh)`;
}

/** Shows all of a column, as wide as there is room for. */
function Refill({ column }: { column: Columned }) {
  const width = useFlowStore((state) => state.width);
  const { setViewport } = useReactFlow();
  useEffect(() => {
    if (width === 0) return;
    const zoom = columnScale(column, width);
    const spare = width - (column.left + NODE_WIDTH) * zoom;
    void setViewport({ x: spare / 2 + column.left * zoom, y: ABOVE, zoom });
  }, [width, column, setViewport]);
  return null;
}

/** Where edges start and end: told as well as measured, so that edges are drawn at once. */
function handles(downwards: boolean): NodeHandle[] {
  const handle = { width: 1, height: 1 };
  return downwards
    ? [
        { ...handle, type: "target", position: Position.Top, x: NODE_WIDTH / 2, y: 0 },
        { ...handle, type: "source", position: Position.Bottom, x: NODE_WIDTH / 2, y: NODE_HEIGHT - 1 },
      ]
    : [
        { ...handle, type: "target", position: Position.Left, x: 0, y: NODE_HEIGHT / 2 },
        { ...handle, type: "source", position: Position.Right, x: NODE_WIDTH - 1, y: NODE_HEIGHT / 2 },
      ];
}

/** With more vertices than this, one that is too small to be read is only drawn. */
const MANY = 60;

const NO_EDGES: RateEdgeData[] = [];

interface Props {
  graph: Graph;
  figures: FlowFigures;
}

export function JobGraph(props: Props) {
  return (
    <ReactFlowProvider>
      <Drawing {...props} />
    </ReactFlowProvider>
  );
}

function Drawing({ graph, figures }: Props) {
  const isDark = useStore(dark);
  const narrow = useNarrow();
  const many = graph.vertices.length > MANY;
  const far = useFlowStore((state) => many && state.transform[2] < READABLE);
  const column = useMemo(() => (narrow && fitsColumn(graph) ? columnLayout(graph) : null), [graph, narrow]);
  const places = useMemo(() => column?.places ?? layout(graph, narrow), [graph, narrow, column]);
  const height = useMemo(() => (column ? columnHeight(column) : wholeHeight(places)), [column, places]);
  const nodes = useMemo<VertexNodeData[]>(() => {
    const ends = handles(narrow);
    return graph.vertices.map((vertex) => ({
      id: vertex.id,
      type: "vertex",
      position: places.get(vertex.id) ?? { x: 0, y: 0 },
      width: NODE_WIDTH,
      height: NODE_HEIGHT,
      measured: { width: NODE_WIDTH, height: NODE_HEIGHT },
      handles: ends,
      data: { vertex, figures, many, downwards: narrow },
      ariaLabel: vertex.name,
    }));
  }, [graph, figures, narrow, many, places]);
  const edges = useMemo<RateEdgeData[]>(
    () =>
      graph.edges.map((edge) => ({
        id: edge.id,
        source: edge.from,
        target: edge.to,
        type: "rate",
        data: { edge, edges: graph.edges, figures, bypass: column?.bypasses.get(edge.id) },
        ariaLabel: `${edge.strategy.toLowerCase()} edge`,
      })),
    [graph, figures, column],
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
    <div className="graph-room">
      <div className={column ? "graph-column" : "graph-whole"} style={{ height }}>
        <ReactFlow
          // All of a column is shown: the page scrolls rather than the graph.
          {...(column ? { panOnDrag: false, zoomOnPinch: false, zoomOnDoubleClick: false } : {})}
          nodes={nodes}
          edges={far ? NO_EDGES : edges}
          nodeTypes={NODE_TYPES}
          edgeTypes={EDGE_TYPES}
          colorMode={isDark ? "dark" : "light"}
          minZoom={0.03}
          maxZoom={1.6}
          nodesDraggable={false}
          nodesConnectable={false}
          nodesFocusable={false}
          edgesFocusable={false}
          elementsSelectable={false}
          onlyRenderVisibleElements={many}
          onNodeMouseEnter={enter}
          onNodeMouseLeave={leave}
          zoomOnScroll={false}
          preventScrolling={false}
          zoomActivationKeyCode="Control"
        >
          {far ? <FarView graph={graph} places={places} figures={figures} downwards={narrow} /> : <Background gap={24} size={1} />}
          {!column && <Controls showInteractive={false} fitViewOptions={FIT} />}
          {column ? <Refill column={column} /> : <Refit />}
        </ReactFlow>
      </div>
    </div>
  );
}
