/** A server without a cluster: it has the files of the dashboard, and answers of a job with many vertices, in layers of ten. */

import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const crate = new URL("../../../crates/dashboard/", import.meta.url);

export const VERTICES = 500;

const id = (number) => number.toString(16).padStart(32, "0");

export const JOB = id(1);

/** What the calls of a job answer at the so many-th time. */
export function answers(tick) {
  const numbers = Array.from({ length: VERTICES }, (_, number) => number + 1);
  const share = (number) => ({ max: ((number * 7 + tick * 3) % 100) / 100, avg: 0.3, at: 0 });
  const inputs = (number) =>
    [number - 10, number - 9]
      .filter((from) => from > 0 && from < number)
      .map((from, num) => ({ id: id(from), num, ship_strategy: "HASH", exchange: "" }));
  const now = Date.now() + tick;
  const job = {
    jid: id(1),
    name: "large",
    state: "RUNNING",
    "job-type": "STREAMING",
    "start-time": now - 60_000,
    "end-time": -1,
    duration: 60_000,
    maxParallelism: -1,
    now,
    timestamps: {},
    vertices: numbers.map((number) => ({
      id: id(number),
      name: `vertex ${number}`,
      slotSharingGroupId: id(0),
      maxParallelism: 1000,
      parallelism: 1000,
      status: "RUNNING",
      "start-time": now - 60_000,
      "end-time": -1,
      duration: 60_000,
      tasks: { RUNNING: 1000 },
      metrics: { "read-records": 1, "write-records": 1, "read-bytes": 1, "write-bytes": 1 },
    })),
    plan: {
      jid: id(1),
      name: "large",
      type: "STREAMING",
      nodes: numbers
        .map((number) => ({ id: id(number), parallelism: 1000, description: `vertex ${number}<br/>`, inputs: inputs(number) }))
        .reverse(),
    },
  };
  const flow = {
    jid: id(1),
    state: "RUNNING",
    now,
    "start-time": now - 60_000,
    "end-time": -1,
    duration: 60_000,
    restarts: 0,
    "last-checkpoint": null,
    bottleneck: { vertex: id(77), reason: "it is busy" },
    vertices: numbers.map((number) => ({
      id: id(number),
      status: "RUNNING",
      parallelism: 1000,
      tasks: { RUNNING: 1000 },
      "records-in": tick,
      "records-out": tick,
      "records-in-rate": 1000 + number + tick,
      "records-out-rate": 1000 + number + tick,
      "bytes-in-rate": 1,
      "bytes-out-rate": 1,
      busy: share(number),
      backpressured: share(number + 50),
      idle: share(1),
      skew: 3,
      watermark: now - 900,
      "state-size": 5000,
    })),
    edges: numbers.flatMap((number) =>
      inputs(number).map((input) => ({ source: input.id, target: id(number), num: input.num, records: tick, "records-rate": 500 + tick })),
    ),
  };
  return { job, flow };
}

/** The files that the JobManager has, compressed. */
function files() {
  const list = readFileSync(new URL("src/files.rs", crate), "utf8");
  const parts = list.matchAll(/path: "(.*?)",\s+content_type: "(.*?)"[^]*?include_bytes!\("\.\.\/(.*?)"\)/g);
  return new Map([...parts].map(([, path, type, file]) => [`/${path}`, { type, content: readFileSync(new URL(file, crate)) }]));
}

/** Starts the server; `ticks` tells how often the figures were asked for. */
export async function replay(interval) {
  const known = files();
  const { job, flow } = answers(0);
  const fixed = {
    "/config": { "refresh-interval": interval, "flink-version": "0", features: {} },
    [`/jobs/${JOB}`]: job,
    [`/jobs/${JOB}/exceptions`]: { exceptionHistory: { entries: [], truncated: false } },
  };
  // Written before they are asked for: what is measured is the page.
  const flows = Array.from({ length: 100 }, (_, tick) => JSON.stringify(answers(tick).flow));
  const state = { ticks: 0 };
  const server = createServer((request, response) => {
    const path = new URL(request.url, "http://localhost").pathname;
    const file = known.get(path === "/" ? "/index.html" : path);
    if (file) {
      response.writeHead(200, { "Content-Type": file.type, "Content-Encoding": "gzip" });
      return response.end(file.content);
    }
    if (path === `/jobs/${JOB}/flow`) state.ticks += 1;
    const text =
      path === `/jobs/${JOB}/flow`
        ? flows[state.ticks % flows.length].replace(`"now":${flow.now}`, `"now":${Date.now()}`)
        : JSON.stringify(fixed[path] ?? {});
    response.writeHead(200, { "Content-Type": "application/json" });
    return response.end(text);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, state, stop: () => server.close() };
}
