import { describe, expect, it } from "vitest";
import { NETWORK_WORDS, nameOf } from "./names";

describe("a metric of a process", () => {
  it("says whose bytes it counts", () => {
    expect(nameOf("numBytesInPerSecond", "task-manager")).toBe("Received from other tasks a second");
    expect(nameOf("numBytesInPerSecond", "job-manager")).toBe("Received over control connections and REST a second");
    expect(nameOf("numBytesOut", "job-manager")).toBe("Sent over control connections and REST, in all");
    const words = Object.values(NETWORK_WORDS["job-manager"]);
    expect(words.filter((word) => word.includes("tasks"))).toEqual([]);
  });
  it("keeps its name where there is no better one", () => {
    expect([nameOf("numRunningJobs", "job-manager"), nameOf("own.metric", "job-manager")]).toEqual(["Running jobs", "own.metric"]);
  });
});
