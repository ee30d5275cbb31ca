/**
 * Figures of the dashboard: `npm run figures`. What is loaded first, how long until a graph is drawn, what updates of a large graph and an
 * open page cost. They depend on the machine, so no test asks for them.
 */

import { readFileSync } from "node:fs";
import { Cluster, example } from "./cluster.mjs";
import { launch, open } from "./page.mjs";

const RUNS = 5;
const VERTICES = 500;
const UPDATES = 50;

const median = (values) => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];
const id = (number) => number.toString(16).padStart(32, "0");

const cluster = await Cluster.start();
const browser = await launch();
try {
  await firstLoad();
  await drawnGraph();
  await openPage();
  await largeGraph();
} finally {
  await browser.close();
  cluster.stop();
}

async function firstLoad() {
  const { page, context } = await open(browser);
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  const job = await cluster.stateMachine();
  await page.goto(`${cluster.url}/#/jobs/${job}/overview`);
  await page.locator("a.vertex").first().waitFor();
  console.log(`first load with a graph, figures included: ${(bytes / 1000).toFixed(0)} kB`);
  await context.close();
}

async function drawnGraph() {
  const { jobs } = await cluster.get("jobs/overview");
  const times = [];
  for (let run = 0; run < RUNS; run += 1) {
    const { page, context } = await open(browser);
    await page.goto(`${cluster.url}/#/jobs/${jobs[0].jid}/overview`, { waitUntil: "commit" });
    await page.locator("a.vertex .vertex-rates").first().waitFor();
    times.push(await page.evaluate(() => performance.now()));
    await context.close();
  }
  console.log(`from navigation to a drawn graph with figures: ${median(times).toFixed(0)} ms, median of ${RUNS}`);
}

/** The share of a core that the JobManager needs more while a page is open. */
async function openPage() {
  const job = await cluster.submit(example("watched_job"), ["even"]);
  await cluster.reaches(job, "RUNNING");
  const { pid } = cluster.processes.get("jobmanager");
  const ticks = () => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return Number(fields[11]) + Number(fields[12]);
  };
  const share = async () => {
    const [before, start] = [ticks(), Date.now()];
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    return ((ticks() - before) * 10) / (Date.now() - start);
  };
  const alone = await share();
  const { page, context } = await open(browser);
  await page.goto(`${cluster.url}/#/jobs/${job}/overview`);
  await page.locator("a.vertex").first().waitFor();
  const watched = await share();
  await context.close();
  console.log(`the JobManager needs ${(alone * 100).toFixed(2)} % of a core alone, ${(watched * 100).toFixed(2)} % with an open page`);
}

/** Answers for a graph of many vertices, in layers of ten. */
function answers(tick) {
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
  };
  return { job, flow };
}

async function largeGraph() {
  const { page, context } = await open(browser);
  let tick = 0;
  const reply = (route, body) => route.fulfill({ contentType: "application/json", body: JSON.stringify(body) });
  await page.route("**/config", (route) => reply(route, { "refresh-interval": 100, "flink-version": "0", features: {} }));
  await page.route(/\/jobs\/0+1$/, (route) => reply(route, answers(0).job));
  await page.route(/\/jobs\/0+1\/exceptions/, (route) => reply(route, { exceptionHistory: { entries: [], truncated: false } }));
  await page.route(/\/jobs\/0+1\/flow$/, (route) => {
    tick += 1;
    return reply(route, answers(tick).flow);
  });
  const start = Date.now();
  await page.goto(`${cluster.url}/#/jobs/${id(1)}/overview`);
  await page.locator("a.vertex").first().waitFor();
  console.log(`a graph of ${VERTICES} vertices is laid out and drawn within ${Date.now() - start} ms`);
  await page.evaluate(() => {
    window.frames_ = [];
    let last = performance.now();
    const next = (at) => {
      window.frames_.push(at - last);
      last = at;
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
    window.long_ = [];
    new PerformanceObserver((list) => window.long_.push(...list.getEntries().map(({ duration }) => duration))).observe({
      type: "longtask",
    });
  });
  const end = tick + UPDATES;
  while (tick < end) await page.waitForTimeout(50);
  const { frames, long } = await page.evaluate(() => ({ frames: window.frames_.slice(5), long: window.long_ }));
  const slow = frames.filter((ms) => ms > 50);
  console.log(
    `${UPDATES} updates, up to ten a second: median frame ${median(frames).toFixed(0)} ms, longest ${Math.max(...frames).toFixed(0)} ms, ${slow.length} of ${frames.length} over 50 ms, longest task ${Math.max(0, ...long).toFixed(0)} ms`,
  );
  await context.close();
}
