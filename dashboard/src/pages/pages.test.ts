import type { Attempt, Vertex } from "../api/types";
import { beforeAll, describe, expect, it, vi } from "vitest";

/** Pages reach for the browser when they are loaded. */
beforeAll(() => {
  const storage = { getItem: () => null, setItem: () => {}, removeItem: () => {} };
  const media = { matches: false, addEventListener: () => {} };
  for (const [name, value] of Object.entries({ sessionStorage: storage, localStorage: storage, window: { matchMedia: () => media } })) {
    vi.stubGlobal(name, value);
  }
});

describe("failures", () => {
  it("have causes, each with its places", async () => {
    const { causesOf } = await import("./job/ExceptionsTab");
    expect(causesOf("cannot write\n\tat src/sink.rs:3:1\nCaused by: disk full\nreally\n\tat src/disk.rs:9:9")).toEqual([
      { message: "cannot write", places: ["src/sink.rs:3:1"] },
      { message: "disk full\nreally", places: ["src/disk.rs:9:9"] },
    ]);
  });
});

describe("restarts", () => {
  it("are counted beside the failures that are kept", async () => {
    const { titleOf } = await import("./job/ExceptionsTab");
    expect([titleOf(2, 1, false), titleOf(16, 300, false), titleOf(1, 0, true)]).toEqual([
      "2 failures, 1 restart",
      "last 16 failures, 300 restarts",
      "last 1 failure, 0 restarts",
    ]);
  });
  it("are when tasks were deployed again, or when the last one began", async () => {
    const { restartsOf } = await import("./job/ExceptionsTab");
    expect(restartsOf([100, 300, 200], { RESTARTING: 290 })).toEqual([200, 300]);
    expect(restartsOf([100, 200], { RESTARTING: 290 })).toEqual([200, 290]);
    expect(restartsOf([100], { RESTARTING: 0 })).toEqual([]);
  });
});

describe("the timeline", () => {
  it("has the states of a subtask one after another", async () => {
    const { spansOf } = await import("./job/TimelineTab");
    const spans = spansOf({ CREATED: 10, SCHEDULED: 0, DEPLOYING: 20, INITIALIZING: 0, RUNNING: 25, FAILED: 40 }, 100);
    expect(spans).toEqual([
      { state: "CREATED", from: 10, to: 20 },
      { state: "DEPLOYING", from: 20, to: 25 },
      { state: "RUNNING", from: 25, to: 40 },
      { state: "FAILED", from: 40, to: 40 },
    ]);
    expect(spansOf({ RUNNING: 5 }, 9)).toEqual([{ state: "RUNNING", from: 5, to: 9 }]);
    expect(spansOf({ RUNNING: 5, CANCELING: 8, CANCELED: 12 }, 20)).toEqual([
      { state: "RUNNING", from: 5, to: 8 },
      { state: "CANCELING", from: 8, to: 12 },
    ]);
  });
});

describe("an attempt that has ended", () => {
  const status = { CREATED: 11, SCHEDULED: -1, DEPLOYING: 3, INITIALIZING: -1, RUNNING: 85 };
  const attempt = (number: number, subtask: number, state: string, start: number) =>
    ({
      attempt: number,
      subtask,
      status: state,
      "start-time": start,
      "end-time": start + 88,
      "status-duration": status,
    }) as unknown as Attempt;
  it("has its states before it", async () => {
    const { spansOfAttempt } = await import("./job/TimelineTab");
    expect(spansOfAttempt(attempt(0, 0, "CANCELED", 100))).toEqual([
      { state: "CREATED", from: 89, to: 100 },
      { state: "DEPLOYING", from: 100, to: 103 },
      { state: "RUNNING", from: 103, to: 188 },
    ]);
    const slow = { ...attempt(0, 0, "CANCELED", 100), "end-time": 200 };
    expect(spansOfAttempt(slow).at(-1)).toEqual({ state: "CANCELING", from: 188, to: 200 });
    expect(spansOfAttempt(attempt(0, 0, "FAILED", 100)).at(-1)).toEqual({ state: "FAILED", from: 188, to: 188 });
    expect(spansOfAttempt(attempt(0, 0, "CANCELED", -1))).toEqual([]);
  });
  it("waits from the end of the one before", async () => {
    const { laneOf } = await import("./job/TimelineTab");
    const failed = [
      { state: "RUNNING", from: 10, to: 20 },
      { state: "FAILED", from: 20, to: 20 },
    ];
    const next = [
      { state: "CREATED", from: 5, to: 30 },
      { state: "RUNNING", from: 30, to: 40 },
    ];
    expect(laneOf([failed, next])).toEqual([...failed, { state: "CREATED", from: 20, to: 30 }, next[1]]);
  });
  it("is a part of the bar of its vertex, failed if any subtask has", async () => {
    const { spansOfVertex } = await import("./job/TimelineTab");
    const earlier = [attempt(1, 0, "CANCELED", 300), attempt(0, 0, "FAILED", 100), attempt(0, 1, "CANCELED", 90)];
    const vertex = { status: "RUNNING", "start-time": 500, "end-time": -1 };
    expect(spansOfVertex(vertex, earlier, 900)).toEqual([
      { state: "RUNNING", from: 90, to: 188 },
      { state: "FAILED", from: 188, to: 188 },
      { state: "RUNNING", from: 300, to: 388 },
      { state: "CANCELED", from: 388, to: 388 },
      { state: "RUNNING", from: 500, to: 900 },
    ]);
  });
});

describe("rescaling", () => {
  it("needs the greatest parallelism of each slot sharing group", async () => {
    const { slotsNeeded } = await import("./job/slots");
    const vertex = (slotSharingGroupId: string, parallelism: number) => ({ slotSharingGroupId, parallelism });
    expect(slotsNeeded([vertex("a", 2), vertex("a", 5), vertex("b", 3)])).toBe(8);
  });
});

describe("a new parallelism", () => {
  it("waits for slots, or until the job may be rescaled again", async () => {
    const { awaited } = await import("./job/RescaleProgress");
    const job = { open: true, needed: 9, held: 2, free: 6, running: true, lastEnd: 0, cooldown: 30_000, now: 1_000_000 };
    expect(awaited(job)).toMatch("waits for 1 more slot,");
    expect(awaited({ ...job, needed: 8, lastEnd: 990_000 })).toMatch("20 s are left");
    expect(awaited({ ...job, needed: 8 })).toMatch("about to be rescaled");
    expect(awaited({ ...job, open: false })).toBeNull();
  });
});

describe("a job that waits", () => {
  const vertex = (tasks: Record<string, number>) => ({ tasks }) as unknown as Vertex;
  it("has no task anywhere", async () => {
    const { isWaiting, waitsFor } = await import("./job/Waiting");
    expect(isWaiting({ state: "CREATED", vertices: [vertex({ CREATED: 2, RUNNING: 0 })] })).toBe(true);
    expect(isWaiting({ state: "RESTARTING", vertices: [vertex({ CREATED: 1, RUNNING: 1 })] })).toBe(false);
    expect(isWaiting({ state: "RUNNING", vertices: [vertex({ CREATED: 2 })] })).toBe(false);
    expect([waitsFor("CREATED", 6, 3), waitsFor("CREATED", 2, 3)]).toEqual(["The job waits for slots: 6 needed, 3 free.", null]);
  });
});

describe("a flame graph", () => {
  it("has a row for each depth, and no boxes too narrow to see", async () => {
    const { boxes } = await import("./vertex/FlameGraphTab");
    const leaf = (name: string, value: number) => ({ name, value });
    const rows = boxes({ name: "root", value: 1000, children: [{ name: "a", value: 600, children: [leaf("b", 600)] }, leaf("c", 1)] });
    expect(rows.map((row) => row.map(({ frame, left, width }) => [frame.name, left, width]))).toEqual([
      [["root", 0, 1]],
      [["a", 0, 0.6]],
      [["b", 0, 0.6]],
    ]);
  });
});

describe("a vertex without samples", () => {
  it("says why", async () => {
    const { absent } = await import("./vertex/FlameGraphTab");
    expect(absent(-1, "FINISHED")).toMatch("does not run any more");
    expect(absent(-2, "RUNNING")).toMatch("switched off");
    expect(absent(-3, "CREATED")).toMatch("waits to be started");
    expect([absent(-3, "RUNNING"), absent(1_795_383_107_353, "RUNNING")]).toEqual([null, null]);
  });
});

describe("a metric", () => {
  it("is meant by its name, or by a part that no other has", async () => {
    const { meant } = await import("./vertex/MetricsTab");
    const known = ["numRecordsIn", "numRecordsInPerSecond", "busyTimeMsPerSecond"];
    expect([meant("numrecordsin", known), meant("busy", known), meant("PerSecond", known), meant(" ", known), meant("x", known)]).toEqual([
      "numRecordsIn",
      "busyTimeMsPerSecond",
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("addresses", () => {
  it("of Flink's dashboard are translated", async () => {
    const { translated } = await import("../app/pages");
    const paths = ["job/running/1/overview", "job/completed", "job/1", "task-manager/t/logs", "job-manager/logs", "overview"];
    expect(paths.map((path) => translated(path.split("/"))?.join("/"))).toEqual([
      "jobs/1/overview",
      "jobs",
      "jobs/1",
      "task-managers/t/logs",
      undefined,
      undefined,
    ]);
  });
  it("keep what is special in names", async () => {
    const { href, parse } = await import("../app/router");
    const route = parse(href(["task-managers", "a/b c"], { find: "x&y" }));
    expect([route.path, route.query.get("find")]).toEqual([["task-managers", "a/b c"], "x&y"]);
  });
});
