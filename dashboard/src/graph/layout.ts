/** Where vertices stand: in layers from left to right, or downwards where the page is narrow. */

import dagre from "@dagrejs/dagre";
import type { Graph } from "./model";

export const NODE_WIDTH = 236;
export const NODE_HEIGHT = 112;

export interface Place {
  x: number;
  y: number;
}

/** Above so many vertices crossings are not minimised as thoroughly: it takes seconds. */
const MANY = 150;

export function layout(graph: Graph, downwards = false): Map<string, Place> {
  const drawn = new dagre.graphlib.Graph();
  const many = graph.vertices.length > MANY;
  drawn.setGraph({
    rankdir: downwards ? "TB" : "LR",
    nodesep: 28,
    ranksep: downwards ? 56 : 108,
    marginx: 8,
    marginy: 8,
    ranker: many ? "longest-path" : "network-simplex",
  });
  drawn.setDefaultEdgeLabel(() => ({}));
  for (const { id } of graph.vertices) drawn.setNode(id, { width: NODE_WIDTH, height: NODE_HEIGHT });
  for (const { from, to } of graph.edges) drawn.setEdge(from, to);
  dagre.layout(drawn);
  return new Map(
    graph.vertices.map(({ id }) => {
      const node = drawn.node(id) as { x: number; y: number };
      return [id, { x: node.x - NODE_WIDTH / 2, y: node.y - NODE_HEIGHT / 2 }];
    }),
  );
}
