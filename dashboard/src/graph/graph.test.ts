// @vitest-environment node
import { describe, expect, it } from "vitest";
import type { VertexFlow } from "../api/types";
import { edgeRate, FlowFigures, loadColor } from "./flow";
import { layout, NODE_WIDTH } from "./layout";
import { type Graph, reachable } from "./model";

const edge = (from: string, to: string) => ({ id: `${from}-${to}`, from, to, strategy: "HASH" });

const graph: Graph = {
  vertices: ["a", "b", "c", "d"].map((id) => ({ id, name: id, operators: [id], parallelism: 1 })),
  edges: [edge("a", "b"), edge("b", "d"), edge("c", "d")],
  key: "",
};

function flow(id: string, figures: Partial<VertexFlow>): VertexFlow {
  return {
    id,
    status: "RUNNING",
    parallelism: 1,
    tasks: {},
    "records-in": null,
    "records-out": null,
    "records-in-rate": null,
    "records-out-rate": null,
    "bytes-in-rate": null,
    "bytes-out-rate": null,
    busy: null,
    backpressured: null,
    idle: null,
    skew: null,
    watermark: null,
    "state-size": null,
    ...figures,
  };
}

describe("the graph", () => {
  it("stands in layers from left to right", () => {
    const places = layout(graph);
    const x = (id: string) => places.get(id)?.x ?? Number.NaN;
    expect(x("b")).toBeGreaterThanOrEqual(x("a") + NODE_WIDTH);
    expect(x("d")).toBeGreaterThanOrEqual(x("b") + NODE_WIDTH);
  });
  it("knows what is up- and downstream", () => {
    expect([...reachable(graph.edges, "b", true)]).toEqual(["d"]);
    expect([...reachable(graph.edges, "d", false)].sort()).toEqual(["a", "b", "c"]);
  });
  it("takes the rate of an edge from the receiver if it has no other input, otherwise from the sender", () => {
    const [first, second] = graph.edges;
    if (!first || !second) throw new Error("edges");
    expect(edgeRate(first, graph.edges, flow("a", { "records-out-rate": 9 }), flow("b", { "records-in-rate": 7 }))).toBe(7);
    expect(edgeRate(second, graph.edges, flow("b", { "records-out-rate": 3 }), flow("d", { "records-in-rate": 10 }))).toBe(3);
  });
  it("is red where it is busy and grey where it waits", () => {
    const share = (max: number) => ({ max, avg: max, at: 0 });
    expect(loadColor(flow("a", { busy: share(0.8), backpressured: share(0.1) }))).toContain("var(--load-busy) 80%), var(--load-waits) 10%");
  });
  it("keeps the last values of each vertex, once for each answer", () => {
    const figures = new FlowFigures();
    const answer = (now: number) => ({
      jid: "",
      state: "RUNNING",
      now,
      "start-time": 0,
      "end-time": -1,
      duration: 0,
      restarts: 0,
      "last-checkpoint": null,
      bottleneck: { vertex: "a", reason: "" },
      vertices: [flow("a", { "records-in-rate": now })],
    });
    for (const now of [1, 2, 2, 3]) figures.update(answer(now));
    expect(figures.vertex("a").get().past).toEqual([1, 2, 3]);
    expect(figures.vertex("a").get().bottleneck).toBe(true);
  });
});
