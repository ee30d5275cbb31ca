/** Where vertices stand: in layers from left to right, or downwards where the page is narrow. */

import dagre from "@dagrejs/dagre";
import type { Graph } from "./model";

export const NODE_WIDTH = 264;
export const NODE_HEIGHT = 128;

const BETWEEN = 28;

/** Between layers: there edges have their labels. */
const ACROSS = 92;
const DOWN = 56;

export interface Place {
  x: number;
  y: number;
}

/** Above so many vertices the thorough layout takes seconds, and nobody follows single edges any more. */
const MANY = 120;

export function layout(graph: Graph, downwards = false): Map<string, Place> {
  return graph.vertices.length > MANY ? quickLayout(graph, downwards) : thoroughLayout(graph, downwards);
}

function thoroughLayout(graph: Graph, downwards: boolean): Map<string, Place> {
  const drawn = new dagre.graphlib.Graph();
  drawn.setGraph({ rankdir: downwards ? "TB" : "LR", nodesep: BETWEEN, ranksep: downwards ? DOWN : ACROSS, marginx: 8, marginy: 8 });
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

/** How often the vertices of the layers are put in order by their neighbours. */
const SWEEPS = 4;

/** Each vertex is one layer behind its last input; in its layer it stands near the middle of its neighbours. */
export function quickLayout(graph: Graph, downwards: boolean): Map<string, Place> {
  const layers = layersOf(graph);
  const [inputs, outputs] = [neighbours(graph, "to", "from"), neighbours(graph, "from", "to")];
  const rank = new Map<string, number>();
  for (const layer of layers) for (const [at, id] of layer.entries()) rank.set(id, at);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const [order, near] = sweep % 2 === 0 ? [layers, inputs] : [[...layers].reverse(), outputs];
    for (const layer of order) {
      const middle = new Map(
        layer.map((id) => [id, average((near.get(id) ?? []).map((other) => rank.get(other) ?? 0)) ?? rank.get(id) ?? 0]),
      );
      layer.sort((one, other) => (middle.get(one) ?? 0) - (middle.get(other) ?? 0));
      for (const [at, id] of layer.entries()) rank.set(id, at);
    }
  }
  const [step, gap] = downwards ? [NODE_HEIGHT + DOWN, NODE_WIDTH + BETWEEN] : [NODE_WIDTH + ACROSS, NODE_HEIGHT + BETWEEN];
  const places = new Map<string, Place>();
  for (const [depth, layer] of layers.entries()) {
    for (const [at, id] of layer.entries()) {
      const across = (at - (layer.length - 1) / 2) * gap;
      places.set(id, downwards ? { x: across, y: depth * step } : { x: depth * step, y: across });
    }
  }
  return places;
}

function average(values: readonly number[]): number | undefined {
  return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : undefined;
}

function neighbours(graph: Graph, of: "from" | "to", other: "from" | "to"): Map<string, string[]> {
  const all = new Map<string, string[]>(graph.vertices.map(({ id }) => [id, []]));
  for (const edge of graph.edges) all.get(edge[of])?.push(edge[other]);
  return all;
}

function layersOf(graph: Graph): string[][] {
  const [inputs, outputs] = [neighbours(graph, "to", "from"), neighbours(graph, "from", "to")];
  const missing = new Map([...inputs].map(([id, from]) => [id, from.length]));
  const depth = new Map<string, number>();
  const open = [...missing].filter(([, number]) => number === 0).map(([id]) => id);
  const layers: string[][] = [];
  for (let id = open.shift(); id !== undefined; id = open.shift()) {
    const own = depth.get(id) ?? 0;
    (layers[own] ??= []).push(id);
    for (const next of outputs.get(id) ?? []) {
      depth.set(next, Math.max(depth.get(next) ?? 0, own + 1));
      const left = (missing.get(next) ?? 1) - 1;
      missing.set(next, left);
      if (left === 0) open.push(next);
    }
  }
  return layers;
}

/** Around a vertex which stands at `at`, as much of the graph as there is room for: the view does not reach beyond its ends. */
export function within(at: number, start: number, size: number, room: number): number {
  const edge = 24;
  const half = room / 2 - edge;
  return size <= 2 * half ? start + size / 2 : Math.min(Math.max(at, start + half), start + size - half);
}
