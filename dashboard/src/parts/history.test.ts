import { describe, expect, it } from "vitest";
import { History, picked } from "./history";

const values = (all: Record<string, number | null>) => new Map(Object.entries(all));

describe("values over time", () => {
  it("have gaps where a line was not there, and are kept for so long", () => {
    const history = new History(3);
    history.push(1, values({ "0": 10 }));
    history.push(2, values({ "0": 11, "1": 21 }));
    // The same answer again.
    history.push(2, values({ "0": 99 }));
    expect(history.of(["0", "1", "2"])).toEqual({
      times: [1, 2],
      values: [
        [10, 11],
        [null, 21],
        [null, null],
      ],
    });
    history.push(3, values({ "1": 22 }));
    history.push(4, values({ "1": null }));
    expect(history.of(["0", "1"])).toEqual({
      times: [2, 3, 4],
      values: [
        [11, null, null],
        [21, 22, null],
      ],
    });
  });
  it("are of the subtasks that are named", () => {
    expect(picked("7, 3-5 and 100", 50)).toEqual([3, 4, 5, 7]);
    expect([picked("", 50), picked("0-99", 50).length, picked("48-99", 50), picked("5-3", 50)]).toEqual([[], 16, [48, 49], []]);
  });
});
