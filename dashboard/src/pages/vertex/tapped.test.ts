import { expect, test } from "vitest";
import type { TapRecord } from "../../api/types";
import { keep, KEPT, matches } from "./tapped";

const record = (value: string, subtask = 0, direction: "in" | "out" = "in"): TapRecord => ({
  subtask,
  operator: "Count",
  direction,
  at: 0,
  timestamp: null,
  shown: "clear",
  value,
  truncated: false,
});

test("the newest records come first and old ones are let go", () => {
  const some = keep([], [record("a"), record("b")]);
  const more = keep(some, [record("c")]);
  expect(more.map(({ value, number }) => [value, number])).toEqual([
    ["c", 3],
    ["b", 2],
    ["a", 1],
  ]);
  const many = keep(
    more,
    Array.from({ length: KEPT }, (_, at) => record(String(at))),
  );
  expect([many.length, many[0]?.value, many.at(-1)?.value]).toEqual([KEPT, String(KEPT - 1), "0"]);
});

test("records are chosen by way, subtask and text", () => {
  const one = record('{"word":"The"}', 3, "out");
  expect(matches(one, "", "", "")).toBe(true);
  expect(matches(one, "out", "3", " the ")).toBe(true);
  expect(matches(one, "in", "", "")).toBe(false);
  expect(matches(one, "", "2", "")).toBe(false);
  expect(matches(one, "", "", "a")).toBe(false);
  expect(matches({ ...one, value: null }, "", "", "count")).toBe(true);
});
