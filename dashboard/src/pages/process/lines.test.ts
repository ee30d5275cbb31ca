import { describe, expect, it } from "vitest";
import { chosen, firstLine, joined, type Line, linesOf, matching } from "./lines";
import { lookUp } from "./lookup";

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

describe("a search through a log", () => {
  const whole = Array.from({ length: 40_000 }, (_, at) => {
    const level = at % 1000 === 7 ? "ERROR" : "INFO";
    return `2026-11-22T13:58:05Z ${level} flott: event ${at}\n${at === 7 ? "  caused by: nothing\n  really\n" : ""}`;
  }).join("");
  const file = bytes(whole);
  const collect = async (level: string, search: string, enough = Number.POSITIVE_INFINITY, end = file.length) => {
    const found: Line[][] = [];
    const reads: [number, number][] = [];
    let from = end;
    const read = (start: number, end: number) => {
      reads.push([start, end]);
      return Promise.resolve(file.slice(start, end));
    };
    await lookUp(read, end, level, search, (lines, at) => {
      found.unshift(lines);
      from = at;
      return found.flat().length < enough;
    });
    return { lines: found.flat(), reads, from };
  };
  it("finds in the whole file what it would find in all of it at once", async () => {
    for (const [level, search] of [
      ["ERROR", ""],
      ["", "event 1999"],
      ["WARN", "REALLY"],
      ["", "nowhere"],
    ] as const) {
      const { lines, reads, from } = await collect(level, search);
      expect(lines).toEqual(chosen(linesOf(file, 0), level, search));
      expect(from).toBe(0);
      expect(reads.every(([start, end]) => end - start <= 1024 * 1024)).toBe(true);
    }
  });
  it("stops when there is enough, and says how far it has looked", async () => {
    const { lines, reads, from } = await collect("ERROR", "", 3);
    expect(reads).toHaveLength(1);
    expect(lines.length).toBeGreaterThanOrEqual(3);
    const rest = await collect("ERROR", "", undefined, from);
    expect([...rest.lines, ...lines]).toEqual(chosen(linesOf(file, 0), "ERROR", ""));
  });
  it("ends at a line that is longer than everything that is read at once", async () => {
    const long = bytes(`first\n${"x".repeat(20 * 1024 * 1024)}\nlast\n`);
    const found: string[] = [];
    await lookUp(
      (start, end) => Promise.resolve(long.slice(start, end)),
      long.length,
      "",
      "st",
      (lines) => {
        found.push(...lines.map(({ text }) => text));
        return true;
      },
    );
    expect(found).toEqual(["last", "first"]);
  });
  it("leaves lines that belong to an entry before a part to the part before it", () => {
    const part = bytes(
      "cut\n  caused by\n2026-11-22T13:58:06Z  WARN y\n 2026-11-22T13:58:06Z INFO x\n more text that has no level of its own\n",
    );
    const { lines, from } = matching(part, 500, "WARN", "");
    expect([lines.map(({ text }) => text.trim()), from]).toEqual([["2026-11-22T13:58:06Z  WARN y"], 516]);
    expect([firstLine(part, 500), firstLine(part, 0), firstLine(bytes("no end"), 7)]).toEqual([504, 0, 13]);
  });
});
