import { describe, expect, it } from "vitest";
import type { PlanNode } from "../../api/types";
import { endsOf, identifier } from "./ends";

const node = (id: string, description: string, ...inputs: string[]): PlanNode => ({
  id,
  parallelism: 1,
  description,
  inputs: inputs.map((input) => ({ id: input, num: 0, ship_strategy: "HASH", exchange: "" })),
});

describe("a vertex", () => {
  const plan = [
    node("out", "state-machine<br/>+- write<br/>", "middle"),
    node("middle", "keyed<br/>", "in"),
    node("in", "Source: generator<br/>+- prices<br/>"),
  ];
  it("reads from outside, or gives there, by the operator at that end", () => {
    expect(endsOf(plan, "in")).toEqual({ source: "Source: generator", sink: null });
    expect(endsOf(plan, "middle")).toEqual({ source: null, sink: null });
    expect(endsOf(plan, "out")).toEqual({ source: null, sink: "write" });
    expect(endsOf(plan, "gone")).toEqual({ source: null, sink: null });
  });
  it("has operators whose metrics begin with their names", () => {
    expect(identifier("Source: generator")).toBe("Source__generator");
  });
});
