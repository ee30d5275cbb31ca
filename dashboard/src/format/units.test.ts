import { describe, expect, it } from "vitest";
import { ago, behind, byteRate, bytes, compact, count, duration, lag, metric, NONE, percent, rate, time, watermark } from "./units";

describe("units", () => {
  it("keeps at most three digits that matter", () => {
    expect([0, 7, 999, 1000, 1234, 12_345, 999_999, 2_500_000].map(compact)).toEqual([
      "0",
      "7",
      "999",
      "1 k",
      "1.23 k",
      "12.3 k",
      "1 M",
      "2.5 M",
    ]);
  });
  it("writes whole numbers with thin spaces", () => expect(count(1234567)).toBe("1\u202f234\u202f567"));
  it("names the unit of a rate", () => {
    expect([0, 0.001, 2702.4, 12e6].map(rate)).toEqual(["0/s", "<0.01/s", "2.7 k/s", "12 M/s"]);
    expect(byteRate(2048)).toBe("2 KiB/s");
  });
  it("counts bytes by 1024", () =>
    expect([0, 1023, 1024, 15_155, 5 * 2 ** 30].map(bytes)).toEqual(["0 B", "1023 B", "1 KiB", "14.8 KiB", "5 GiB"]));
  it("shows shares as percent", () => expect([0, 0.004, 0.43, 1].map(percent)).toEqual(["0 %", "<1 %", "43 %", "100 %"]));
  it("shows spans in two units at most", () => {
    expect([0, 850, 1234, 59_999, 60_000, 200_000, 7_500_000, 187_200_000].map(duration)).toEqual([
      "0 ms",
      "850 ms",
      "1.2 s",
      "59 s",
      "1 min",
      "3 min 20 s",
      "2 h 5 min",
      "2 d 4 h",
    ]);
  });
  it("shows what is unknown as a dash", () => {
    for (const format of [count, compact, rate, bytes, percent, duration]) expect([format(null), format(Number.NaN)]).toEqual([NONE, NONE]);
    expect([ago(1000, 1400), ago(1000, 13_000)]).toEqual(["just now", "12 s ago"]);
    expect([duration(-1), time(-1, true), ago(0, 5)]).toEqual([NONE, NONE, NONE]);
  });
  it("shows times in UTC where asked", () => expect(time(1795355890499, true)).toBe("2026-11-22 13:58:10"));
  it("tells how far a watermark is behind", () => {
    expect([lag(1000, 4500), lag(null, 1), lag(9.3e18, 1), lag(10_000, 0)]).toEqual(["3.5 s", NONE, "end of input", "10 s ahead"]);
  });
  it("knows units by the names of metrics", () => {
    expect(metric("busyTimeMsPerSecond", 430)).toBe("43 %");
    expect(metric("0.numBytesOutPerSecond", 2048)).toBe("2 KiB/s");
    expect([metric("Status.JVM.Memory.Heap.Used", 2048), metric("taskSlotsTotal", 8)]).toEqual(["2 KiB", "8"]);
    expect(metric("Status.JVM.CPU.Time", 2e9)).toBe("2 s");
    expect(metric("write.numRecordsInPerSecond", 10)).toBe("10/s");
    expect(metric("0.currentOutputWatermark", 1795355890499)).toBe("2026-11-22 13:58:10 UTC");
  });
  it("shows watermarks as points in time", () => {
    const least = Number("-9223372036854775808");
    expect([watermark(1795355890499, true), watermark(least, true), watermark(-least, true), watermark(null, true)]).toEqual([
      "2026-11-22 13:58:10",
      "none yet",
      "end of input",
      NONE,
    ]);
    expect([behind(1000, 4500), behind(least, 1), behind(-least, 1), lag(least, 1)]).toEqual([3500, null, null, "none yet"]);
    expect(metric("currentInputWatermark", least)).toBe("none yet");
  });
});
