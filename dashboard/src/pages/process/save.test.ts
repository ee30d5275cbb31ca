import { expect, it, vi } from "vitest";

it("reads a file in parts, from as far before its end as is allowed", async () => {
  vi.stubGlobal("sessionStorage", { getItem: () => null });
  const { partsOf } = await import("./save");
  expect(partsOf(25, 100, 10)).toEqual(["0-9", "10-19", "20-24"]);
  expect(partsOf(25, 12, 10)).toEqual(["13-22", "23-24"]);
  expect(partsOf(0)).toEqual([]);
});
