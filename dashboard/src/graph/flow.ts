/** The figures of a graph. Each vertex is watched on its own, so that an update draws vertices anew and not the graph. */

import { Store } from "../api/store";
import type { EdgeFlow, GraphFlow, VertexFlow } from "../api/types";
import { edgeId, type GraphEdge } from "./model";

/** Values that a small line shows. */
const KEPT = 40;

export interface VertexFigures {
  flow: VertexFlow | null;
  /** Records a second in the past, oldest first. The same list goes on from update to update. */
  past: number[];
  bottleneck: boolean;
  /** The time of the server when the figures were taken. */
  now: number;
}

/** What is lit up while the pointer is over a vertex. */
export interface Lit {
  over: string;
  upstream: ReadonlySet<string>;
  downstream: ReadonlySet<string>;
}

export class FlowFigures {
  readonly lit = new Store<Lit | null>(null);
  /** The time of the last update. */
  readonly changed = new Store(0);
  private readonly vertices = new Map<string, Store<VertexFigures>>();
  private told: readonly EdgeFlow[] = [];
  private readonly edges = new Map<string, Store<number | null | undefined>>();

  constructor(flow?: GraphFlow) {
    if (flow) this.update(flow);
  }

  vertex(id: string): Store<VertexFigures> {
    let store = this.vertices.get(id);
    if (!store) {
      store = new Store<VertexFigures>({ flow: null, past: [], bottleneck: false, now: 0 });
      this.vertices.set(id, store);
    }
    return store;
  }

  /** Records a second that are sent into an edge; `undefined` where the server does not tell. */
  edge(id: string): Store<number | null | undefined> {
    let store = this.edges.get(id);
    if (!store) {
      const told = this.told.find((edge) => edgeId(edge.source, edge.target, edge.num) === id);
      store = new Store<number | null | undefined>(told?.["records-rate"]);
      this.edges.set(id, store);
    }
    return store;
  }

  update(flow: GraphFlow): void {
    for (const vertex of flow.vertices) {
      const store = this.vertex(vertex.id);
      const seen = store.get();
      if (seen.now === flow.now) continue;
      const rate = vertex["records-in-rate"] ?? vertex["records-out-rate"];
      // The list is not copied: of hundreds of vertices that would be much to throw away.
      const { past } = seen;
      if (rate !== null && past.push(rate) > KEPT) past.shift();
      store.set({ flow: vertex, past, bottleneck: flow.bottleneck?.vertex === vertex.id, now: flow.now });
    }
    this.told = flow.edges ?? [];
    // From afar no edge is watched.
    if (this.edges.size > 0) {
      for (const edge of this.told) this.edges.get(edgeId(edge.source, edge.target, edge.num))?.set(edge["records-rate"]);
    }
    this.changed.set(flow.now);
  }
}

/** The colour of a vertex as Flink's dashboard has it: from blue to red as it is busy, from there to grey as it is back-pressured. */
export function loadColor(flow: VertexFlow | null): string {
  const busy = flow?.busy?.max;
  const waits = flow?.backpressured?.max;
  return `color-mix(in srgb, color-mix(in srgb, var(--load-idle), var(--load-busy) ${share(busy)}%), var(--load-waits) ${share(waits)}%)`;
}

/** Percent, in steps that can be told apart: a vertex that hardly changes need not be drawn again. */
export function share(part: number | null | undefined): number {
  return Math.round(Math.min(1, Math.max(0, part ?? 0)) * 20) * 5;
}

/**
 * Records a second on an edge whose own are not told. A task counts what it sends and what it gets, over all its edges: where its receiver has no other input,
 * that is what it gets; otherwise what the sender sends, as every edge carries all of it.
 */
export function edgeRate(edge: GraphEdge, edges: readonly GraphEdge[], from: VertexFlow | null, to: VertexFlow | null): number | null {
  const alone = edges.every((other) => other.to !== edge.to || other === edge);
  if (alone && to?.["records-in-rate"] !== undefined) return to["records-in-rate"];
  return from?.["records-out-rate"] ?? null;
}
