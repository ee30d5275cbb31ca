/** The pictures of the guide and of the README: a job that has run for a while, in the light theme, cut to what matters. */

import assert from "node:assert/strict";
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { Cluster, eventually, example } from "./cluster.mjs";
import { launch, open, pictures } from "./page.mjs";

/** `npm run guide` copies them from here. */
const folder = join(pictures, "guide");

/** A guide with large pictures is slow to read, bytes. */
const LARGEST = 150_000;

const SIZE = { width: 1280, height: 1000 };

let cluster;
let browser;
let shop;
let closed;

const checkpoints = () => ["-Dexecution.checkpointing.interval=1 s", `-Dexecution.checkpointing.dir=${cluster.path("checkpoints")}`];

before(async () => {
  mkdirSync(folder, { recursive: true });
  browser = await launch();
  cluster = await Cluster.start();
  const restarts = [
    "-Drestart-strategy.type=fixed-delay",
    "-Drestart-strategy.fixed-delay.attempts=3",
    "-Drestart-strategy.fixed-delay.delay=1 s",
  ];
  shop = await cluster.submit(example("watched_job"), ["shop"], ["-Dparallelism.default=2", ...checkpoints()]);
  closed = await cluster.submit(example("watched_job"), ["closed"], ["-Dparallelism.default=2", ...checkpoints(), ...restarts]);
  await cluster.reaches(shop, "RUNNING");
});

after(async () => {
  await browser?.close();
  cluster?.stop();
});

/** A page that asks more often than usual, so that lines are long soon. */
async function quick(size = SIZE) {
  const opened = await open(browser, { size });
  await opened.context.route(`${cluster.url}/config`, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), "refresh-interval": 700 } });
  });
  return opened;
}

/** A picture of the page between the tops or bottoms of two elements. */
async function cut(page, name, from, to) {
  const [above, below] = [await page.locator(from).first().boundingBox(), await page.locator(to).first().boundingBox()];
  const margin = 12;
  const y = Math.max(0, above.y - margin);
  const height = Math.min(page.viewportSize().height - y, below.y + below.height + margin - y);
  const path = join(folder, `${name}.png`);
  await page.screenshot({ path, clip: { x: 0, y, width: SIZE.width, height }, animations: "disabled" });
  const { size } = statSync(path);
  assert.ok(size < LARGEST, `${name}.png has ${size} bytes`);
}

/** Every vertex has a line of some length, and every edge a rate. */
async function figuresAreThere(page) {
  await eventually("the lines of all vertices have several points", () =>
    page.evaluate(() => {
      const lines = [...document.querySelectorAll("a.vertex .spark polyline")];
      const rates = [...document.querySelectorAll(".edge-label b")].map((rate) => rate.textContent);
      const drawn = lines.every((line) => (line.getAttribute("points") ?? "").split(" ").length >= 12);
      return lines.length > 3 && drawn && rates.length > 3 && rates.every((rate) => !/^(0\/s|–)$/.test(rate));
    }),
  );
}

test("the graph of a job with its bottleneck", async () => {
  const { page, sound, context } = await quick();
  await page.goto(`${cluster.url}/#/jobs/${shop}/overview`);
  await page.locator(".vertex-bottleneck", { hasText: "delivery" }).waitFor();
  await figuresAreThere(page);
  await page.locator(".bottleneck-line").waitFor();
  await cut(page, "graph", ".page-head", ".graph-card");
  await context.close();
  sound();
});

test("a vertex beside the graph, with the lines of its subtasks", async () => {
  const { page, sound, context } = await quick({ ...SIZE, height: 1120 });
  const { vertices } = await cluster.get(`jobs/${shop}`);
  const address = { vertex: vertices.at(-1).id, tab: "metrics", metrics: "numRecordsInPerSecond,busyTimeMsPerSecond", lines: "subtasks" };
  await page.goto(`${cluster.url}/#/jobs/${shop}/overview?${new URLSearchParams(address)}`);
  await page.locator(".chart").nth(1).waitFor();
  await figuresAreThere(page);
  await page.locator(".bottleneck-line").waitFor();
  await cut(page, "vertex", ".bottleneck-line", ".panel");
  await context.close();
  sound();
});

test("failures and restarts of a job, and their cause", async () => {
  const { page, sound, context } = await quick();
  await cluster.reaches(closed, "FAILED");
  await page.goto(`${cluster.url}/#/jobs/${closed}/exceptions`);
  await page.getByRole("heading", { name: "4 failures, 3 restarts" }).waitFor();
  await page.locator(".restart-mark").nth(2).waitFor();
  await cut(page, "failures", ".page-head", ".exception-latest + .exception");
  await page.goto(`${cluster.url}/#/jobs/${closed}/timeline`);
  await page.getByRole("button", { name: /delivery/ }).click();
  await page.locator(".gantt-sub .span-failed").nth(3).waitFor({ state: "attached" });
  await cut(page, "timeline", ".tabs", ".card");
  await context.close();
  sound();
});

test("checkpoints, and what the subtasks of a vertex did in one", async () => {
  // With more subtasks the sink is fast enough, so that barriers do not wait for long.
  await fetch(`${cluster.url}/jobs/${shop}?mode=cancel`, { method: "PATCH" });
  await cluster.reaches(shop, "CANCELED");
  const fast = await cluster.submit(example("watched_job"), ["shop"], ["-Dparallelism.default=6", ...checkpoints()]);
  const { page, sound, context } = await quick({ ...SIZE, height: 1400 });
  await eventually("there are many", async () => (await cluster.get(`jobs/${fast}/checkpoints`)).counts.completed > 25);
  const { latest } = await cluster.get(`jobs/${fast}/checkpoints`);
  const { vertices } = await cluster.get(`jobs/${fast}`);
  const address = { checkpoint: latest.completed.id, phases: vertices.at(-1).id };
  await page.goto(`${cluster.url}/#/jobs/${fast}/checkpoints?${new URLSearchParams(address)}`);
  await page.getByRole("button", { name: "live" }).click();
  await page.locator(".phase-row .phase-bar").nth(5).waitFor();
  await page.locator(".chart").nth(1).waitFor();
  await cut(page, "checkpoints", ".tabs", ".detail");
  await context.close();
  sound();
});
