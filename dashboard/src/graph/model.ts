/** The graph of a job as it is drawn: vertices with the names of their operators, and edges. */

import type { Plan, Vertex } from "../api/types";

export interface GraphVertex {
  id: string;
  name: string;
  operators: string[];
  parallelism: number;
}

export interface GraphEdge {
  id: string;
  from: string;
  to: string;
  strategy: string;
}

export interface Graph {
  vertices: GraphVertex[];
  edges: GraphEdge[];
  /** The same text means the same graph. */
  key: string;
}

/** The name of an edge: the input of a vertex. */
export function edgeId(from: string, to: string, input: number): string {
  return `${from}-${to}-${input}`;
}

/** The name of a chain with arrows as people draw them. */
export function shownName(name: string): string {
  return name.replaceAll(" -> ", " → ");
}

const ENTITIES: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', "#39": "'" };

/** The operators of a chain, from the tree in HTML that Flink's dashboard is given. It is taken apart as text: names are never markup. */
export function operatorsOf(description: string): string[] {
  const lines = description.split(/<br\s*\/?>/).map((line) => line.replace(/^[\s\u00a0:]*(\+- )?/, "").trim());
  return lines.filter(Boolean).map((line) => line.replace(/&(#?\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole));
}

/** The graph of a plan; `vertices` know the names. */
export function graphOf(plan: Plan, vertices: readonly Vertex[] = []): Graph {
  const names = new Map(vertices.map((vertex) => [vertex.id, vertex]));
  const nodes = [...plan.nodes].reverse();
  const known = new Set(nodes.map(({ id }) => id));
  const graph = {
    vertices: nodes.map((node) => {
      const operators = operatorsOf(node.description);
      const vertex = names.get(node.id);
      return {
        id: node.id,
        name: shownName(vertex?.name ?? operators.join(" → ")),
        operators,
        parallelism: vertex?.parallelism ?? node.parallelism,
      };
    }),
    edges: nodes.flatMap((node) =>
      (node.inputs ?? [])
        .filter((input) => known.has(input.id))
        .map((input) => ({ id: edgeId(input.id, node.id, input.num), from: input.id, to: node.id, strategy: input.ship_strategy })),
    ),
  };
  return { ...graph, key: JSON.stringify(graph) };
}

/** The vertices that can be reached from `start` along the edges, or against them. */
export function reachable(edges: readonly GraphEdge[], start: string, downstream: boolean): Set<string> {
  const next = new Map<string, string[]>();
  for (const { from, to } of edges) {
    const [here, there] = downstream ? [from, to] : [to, from];
    const all = next.get(here);
    if (all) all.push(there);
    else next.set(here, [there]);
  }
  const seen = new Set<string>();
  const open = [start];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const other of next.get(at) ?? []) {
      if (!seen.has(other)) {
        seen.add(other);
        open.push(other);
      }
    }
  }
  return seen;
}
