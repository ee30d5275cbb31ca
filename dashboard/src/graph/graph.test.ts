// @vitest-environment node
import { describe, expect, it } from "vitest";
import type { VertexFlow } from "../api/types";
import { mix, parse } from "./colors";
import { bypassPath, columnLayout, columnOrder } from "./column";
import { edgeRate, FlowFigures, loadColor } from "./flow";
import { layout, NODE_HEIGHT, NODE_WIDTH, quickLayout, within } from "./layout";
import { type Graph, operatorsOf, reachable } from "./model";

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
  it("is laid out quickly where it is large, and no vertex covers another", () => {
    const many = Array.from({ length: 500 }, (_, at) => String(at));
    const large: Graph = {
      vertices: many.map((id) => ({ id, name: id, operators: [], parallelism: 1 })),
      edges: many
        .flatMap((id) => [edge(String(Number(id) - 10), id), edge(String(Number(id) - 9), id)])
        .filter(({ from, to }) => Number(from) >= 0 && from !== to),
      key: "",
    };
    const places = [...quickLayout(large, false).values()].sort((one, other) => one.x - other.x || one.y - other.y);
    expect(places).toHaveLength(500);
    for (const [at, place] of places.entries()) {
      const next = places[at + 1];
      if (next && next.x === place.x) expect(next.y - place.y).toBeGreaterThanOrEqual(NODE_HEIGHT);
    }
    expect(layout(large).get("499")?.x).toBeGreaterThan(layout(large).get("0")?.x ?? 0);
  });
  it("stands in a column where the page is narrow, and edges that go further have lanes beside it", () => {
    expect(columnOrder(graph)).toEqual(["a", "b", "c", "d"]);
    const fork: Graph = { ...graph, edges: [...graph.edges, edge("a", "c"), edge("a", "d")] };
    const { places, bypasses, left, height } = columnLayout(fork);
    const y = (id: string) => places.get(id)?.y ?? Number.NaN;
    expect([...bypasses.keys()].sort()).toEqual(["a-c", "a-d", "b-d"]);
    // `a-c` passes b, `b-d` passes c, `a-d` passes both.
    expect(["b-d", "a-c", "a-d"].map((id) => bypasses.get(id)?.lane)).toEqual([0, 1, 2]);
    expect(left).toBe(39);
    expect(height).toBe(y("d") + NODE_HEIGHT);
    // Where two labels stand one below the other, the gap is wide enough.
    const labels = ["a-c", "a-d"].map((id) => bypassPath({ x: 0, y: 0 }, { x: 0, y: 900 }, bypasses.get(id) ?? { lane: 9, label: 9 }).y);
    expect(labels[1]).toBeGreaterThanOrEqual((labels[0] ?? 0) + 30);
    expect(y("b")).toBeGreaterThanOrEqual((labels[1] ?? 0) + 30);
  });
  it("takes the operators of a chain from its description, and markup for what it is", () => {
    expect(operatorsOf("Keyed<br/>+- Map<br/>   +- Sink: a &lt;b&gt; &amp;lt;<br/>")).toEqual(["Keyed", "Map", "Sink: a <b> &lt;"]);
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
  it("is shown around a vertex without what lies beyond its ends", () => {
    expect(within(10, 0, 1000, 448)).toBe(200);
    expect(within(500, 0, 1000, 448)).toBe(500);
    expect(within(990, 0, 1000, 448)).toBe(800);
    expect(within(10, 0, 300, 448)).toBe(150);
  });
  it("mixes colours of either length", () => {
    expect(parse("#5db1ff")).toEqual([93, 177, 255]);
    expect(parse("#888")).toEqual([136, 136, 136]);
    expect(mix([0, 100, 200], [100, 100, 100], 0.5)).toEqual([50, 100, 150]);
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
      ...(now > 1 ? { edges: [{ source: "a", target: "b", num: 0, "records-rate": now * 10 }] } : {}),
    });
    figures.update(answer(0.5));
    expect(figures.edge("a-b-0").get()).toBeUndefined();
    for (const now of [1, 2, 2, 3]) figures.update(answer(now));
    expect(figures.edge("a-b-0").get()).toBe(30);
    expect(figures.vertex("a").get().past).toEqual([0.5, 1, 2, 3]);
    expect(figures.vertex("a").get().bottleneck).toBe(true);
  });
});
