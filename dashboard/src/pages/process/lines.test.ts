import { describe, expect, it } from "vitest";
import { chosen, joined, linesOf } from "./lines";

const bytes = (text: string) => new TextEncoder().encode(text);
const LOG =
  "2026-11-22T13:58:05Z  INFO flott: job submitted\n2026-11-22T13:58:06Z ERROR flott: it broke\n  caused by: é\n2026-11-22T13:58:07Z  WARN x: y\n";

describe("a log", () => {
  it("is divided into lines with their place in the file", () => {
    const lines = linesOf(bytes(LOG), 0);
    expect(lines.map(({ level }) => level)).toEqual(["INFO", "ERROR", "ERROR", "WARN"]);
    expect(lines[3]?.at).toBe(bytes(LOG.slice(0, LOG.indexOf("2026-11-22T13:58:07"))).length);
  });
  it("leaves out a line that is cut at the beginning, unless the file begins there", () => {
    expect(linesOf(bytes("rest\nwhole\n"), 100).map(({ text, at }) => [text, at])).toEqual([["whole", 105]]);
    expect(linesOf(bytes("first\n"), 0)).toHaveLength(1);
    expect(linesOf(bytes(""), 0)).toEqual([]);
  });
  it("shows what is at least as grave, with the lines that belong to it", () => {
    const lines = linesOf(bytes(LOG), 0);
    expect(chosen(lines, "ERROR", "").map(({ text }) => text.trim())).toEqual([
      "2026-11-22T13:58:06Z ERROR flott: it broke",
      "caused by: é",
    ]);
    expect(chosen(lines, "WARN", "")).toHaveLength(3);
    expect(chosen(lines, "", "BROKE")).toHaveLength(1);
  });
  it("joins parts that lie side by side", () => expect(new TextDecoder().decode(joined(bytes("ab"), bytes("c")))).toBe("abc"));
});
