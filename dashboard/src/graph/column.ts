/**
 * A graph on a narrow page: vertices one below another, so that each is as wide as the page. An edge to the next one is short; others go
 * down in lanes on the left.
 */

import { NODE_HEIGHT, type Place } from "./layout";
import type { Graph, GraphEdge } from "./model";

/** Above so many vertices a column would be too long. */
const MOST = 24;

/** Between two vertices, without labels of edges that go further. */
const GAP = 56;
const LABEL = 34;

/** Between two lanes, and between the first and the vertices. */
export const LANE = 13;

/** How an edge goes past the vertices between its ends. */
export interface Bypass {
  /** 0 is the lane next to the vertices. */
  lane: number;
  /** Its place among the labels below the vertex that it comes from. */
  label: number;
}

export interface Columned {
  places: Map<string, Place>;
  /** By the id of the edge. */
  bypasses: Map<string, Bypass>;
  /** How far lanes reach to the left. */
  left: number;
  height: number;
}

export function fitsColumn(graph: Graph): boolean {
  return graph.vertices.length <= MOST;
}

/** Whatever can follow its only missing input does so at once. */
export function columnOrder(graph: Graph): string[] {
  const missing = new Map(graph.vertices.map(({ id }) => [id, 0]));
  for (const { to } of graph.edges) missing.set(to, (missing.get(to) ?? 0) + 1);
  const order: string[] = [];
  const open = graph.vertices.filter(({ id }) => missing.get(id) === 0).map(({ id }) => id);
  open.reverse();
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    order.push(id);
    for (const { from, to } of [...graph.edges].reverse()) {
      if (from !== id) continue;
      const left = (missing.get(to) ?? 1) - 1;
      missing.set(to, left);
      if (left === 0) open.push(to);
    }
  }
  return order;
}

export function columnLayout(graph: Graph): Columned {
  const order = columnOrder(graph);
  const at = new Map(order.map((id, place) => [id, place]));
  const [bypasses, lanes] = bypassesOf(graph.edges, at);
  const labels = new Map<string, number>();
  for (const { id, from } of graph.edges) if (bypasses.has(id)) labels.set(from, (labels.get(from) ?? 0) + 1);
  const places = new Map<string, Place>();
  let y = 0;
  for (const id of order) {
    places.set(id, { x: 0, y });
    y += NODE_HEIGHT + Math.max(GAP, 14 + (labels.get(id) ?? 0) * LABEL);
  }
  const last = places.get(order.at(-1) ?? "");
  return { places, bypasses, left: lanes * LANE, height: (last?.y ?? 0) + NODE_HEIGHT };
}

/** Edges that pass the same vertex have different lanes; the shortest are next to the vertices. */
function bypassesOf(edges: readonly GraphEdge[], at: ReadonlyMap<string, number>): [Map<string, Bypass>, number] {
  const long = edges
    .map((edge) => ({ edge, start: at.get(edge.from) ?? 0, end: at.get(edge.to) ?? 0 }))
    .filter(({ start, end }) => end > start + 1)
    .sort((one, other) => one.end - one.start - (other.end - other.start));
  const lanes: { start: number; end: number }[][] = [];
  const bypasses = new Map<string, Bypass>();
  const labels = new Map<string, number>();
  for (const { edge, start, end } of long) {
    let lane = lanes.findIndex((taken) => taken.every((other) => other.end <= start || other.start >= end));
    if (lane < 0) lane = lanes.push([]) - 1;
    lanes[lane]?.push({ start, end });
    const label = labels.get(edge.from) ?? 0;
    labels.set(edge.from, label + 1);
    bypasses.set(edge.id, { lane, label });
  }
  return [bypasses, lanes.length];
}

const BEND = 8;

/** The way of an edge past other vertices, from the left side of one vertex to that of another, and where its label stands. */
export function bypassPath(from: Place, to: Place, { lane, label }: Bypass): { path: string; x: number; y: number } {
  const x = from.x - (lane + 1) * LANE;
  const [start, end] = [from.y + NODE_HEIGHT * 0.72, to.y + NODE_HEIGHT * 0.28];
  const path = [
    `M ${from.x} ${start} H ${x + BEND} Q ${x} ${start} ${x} ${start + BEND}`,
    `V ${end - BEND} Q ${x} ${end} ${x + BEND} ${end} H ${to.x}`,
  ].join(" ");
  return { path, x: from.x + 4, y: from.y + NODE_HEIGHT + 9 + label * LABEL };
}
