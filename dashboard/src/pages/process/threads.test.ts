import { describe, expect, it } from "vitest";
import { groupsOf, has, partsOf } from "./threads";

const thread = (threadName: string, text: string) => ({ threadName, stringifiedThreadInfo: `"${threadName}" ${text}` });

const DUMP = [
  thread("flott-web", "Id=12 WAITING\n\tat std::thread::park (thread/mod.rs:1)\n\tat flott_web::serve (serve.rs:40)\n"),
  thread("flott-web", "Id=13 WAITING\n\tat std::thread::park (thread/mod.rs:1)\n\tat flott_web::serve (serve.rs:40)\n"),
  thread("sum (1/2)", "Id=14 RUNNABLE, worker 0 of job 7\n\tat shop::sum (main.rs:9)\n"),
  thread("flott", "S (sleeping) futex_do_wait"),
];

describe("threads", () => {
  it("tell what they do, and their calls", () => {
    expect(partsOf(DUMP[2] ?? thread("", ""))).toEqual({ doing: "RUNNABLE, worker 0 of job 7", frames: ["shop::sum (main.rs:9)"] });
    expect(partsOf(DUMP[3] ?? thread("", ""))).toEqual({ doing: "S (sleeping) futex_do_wait", frames: [] });
  });
  it("with the same stack stand together, those that run first", () => {
    const groups = groupsOf(DUMP, true);
    expect(groups.map(({ names }) => names)).toEqual([[["sum (1/2)", 1]], [["flott-web", 2]], [["flott", 1]]]);
    expect(groupsOf(DUMP, false)).toHaveLength(4);
  });
  it("are found by all words of a search, in names and calls", () => {
    const found = (search: string) => groupsOf(DUMP, true).filter((group) => has(group, search)).length;
    expect(["", "SERVE.rs park", "worker", "flott", "nothing"].map(found)).toEqual([3, 1, 1, 2, 0]);
  });
});
