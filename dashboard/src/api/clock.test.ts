import { describe, expect, it } from "vitest";
import { better, heardTime, now, offsetOf } from "./clock";

describe("the clock of the server", () => {
  it("is as far ahead as its time is of the middle of the call", () => {
    expect(offsetOf(10_000, 4000, 4200)).toEqual({ ahead: 5900, error: 100 });
    expect(offsetOf(10_500, 4000, 4200, 500)).toEqual({ ahead: 6400, error: 600 });
  });
  it("is taken from the quickest call, unless that one can no longer be right", () => {
    const known = { ahead: 5900, error: 20 };
    expect(better(known, { ahead: 6000, error: 300 })).toBe(known);
    expect(better(known, { ahead: 5905, error: 20 })).toEqual({ ahead: 5905, error: 20 });
    expect(better(known, { ahead: 60_000, error: 300 })).toEqual({ ahead: 60_000, error: 300 });
  });
  it("counts once it has been heard", () => {
    const sent = Date.now();
    heardTime(sent + 3_600_000, sent, sent);
    expect(Math.abs(now() - Date.now() - 3_600_000)).toBeLessThan(50);
  });
});
