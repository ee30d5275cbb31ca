// @vitest-environment node
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { callsOf, hasGraph, hasRest, sendEarly, takeEarly } from "./early";

const ID = "0123456789abcdef0123456789abcdef";

describe("early calls", () => {
  const kept = new Map<string, string>();
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("sessionStorage", { getItem: (key: string) => kept.get(key) ?? null });
    vi.stubGlobal(
      "fetch",
      vi.fn((path: string) => Promise.resolve({ path })),
    );
  });
  afterEach(() => {
    kept.clear();
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it("are those that the page behind the address begins with", () => {
    expect(callsOf("")).toContain("overview");
    expect(callsOf("#/overview")).toEqual(callsOf(""));
    expect(callsOf(`#/jobs/${ID}`)).toEqual(callsOf(`#/jobs/${ID}/overview?vertex=1`));
    expect(callsOf(`#/jobs/${ID}/overview`)).toContain(`jobs/${ID}/flow`);
    expect([`#/jobs/${ID}`, "#/jobs", `#/jobs/${ID}/timeline`].map(hasGraph)).toEqual([true, false, false]);
    expect(callsOf(`#/jobs/${ID}/timeline`)).not.toContain(`jobs/${ID}/flow`);
    expect(callsOf("#/jobs/running")).toEqual(["jobs/overview", "jobs/flow"]);
    expect(callsOf("#/jobs/..%2f/overview")).toEqual(["jobs/overview", "jobs/flow"]);
    expect(callsOf("#/task-managers/tm-0/log")).toEqual([]);
  });
  it("say whether lists and a graph are all that the page needs", () => {
    const lean = ["", "#/overview", "#/jobs", `#/jobs/${ID}`, `#/jobs/${ID}/overview`];
    const rich = [`#/jobs/${ID}?vertex=1`, `#/jobs/${ID}/checkpoints`, "#/task-managers", "#/submit", "#/job-manager/log"];
    expect(lean.filter(hasRest)).toEqual([]);
    expect(rich.filter(hasRest)).toEqual(rich);
  });
  it("are taken once, while they are news", async () => {
    sendEarly(`#/jobs/${ID}`);
    await expect(takeEarly("config")).resolves.toEqual({ path: "config" });
    expect(takeEarly("config")).toBeUndefined();
    vi.advanceTimersByTime(5000);
    expect(takeEarly(`jobs/${ID}`)).toBeUndefined();
  });
  it("are for who has asked alone", () => {
    sendEarly("");
    kept.set("flott.token", "secret");
    expect(takeEarly("overview")).toBeUndefined();
  });
  it("say who asks, and ask who that is", () => {
    kept.set("flott.token", "secret");
    sendEarly("#/submit");
    expect(vi.mocked(fetch).mock.calls.map(([path]) => path)).toEqual(["config", "auth/whoami"]);
    expect(vi.mocked(fetch).mock.calls[0]?.[1]).toMatchObject({ credentials: "omit", headers: { Authorization: "Bearer secret" } });
  });
});
