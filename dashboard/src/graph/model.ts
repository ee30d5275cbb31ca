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

/** The name of a chain with arrows as people draw them. */
export function shownName(name: string): string {
  return name.replaceAll(" -> ", " → ");
}

/** The operators of a chain, from the tree in HTML that Flink's dashboard is given. */
export function operatorsOf(description: string): string[] {
  const document = new DOMParser().parseFromString(description.replaceAll("<br/>", "\n"), "text/html");
  const lines = (document.body.textContent ?? "").split("\n");
  return lines.map((line) => line.replace(/^[\s\u00a0:]*(\+- )?/, "").trim()).filter(Boolean);
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
        .map((input) => ({ id: `${input.id}-${node.id}-${input.num}`, from: input.id, to: node.id, strategy: input.ship_strategy })),
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
