/** How the memory of a tab grows that stays open on a running job. */

import { open } from "../page.mjs";
import { said } from "./say.mjs";

const GOAL_MB = 5;

/** Until then caches and lists of past values fill. */
const WARM_MS = 60_000;

const SAMPLES = 10;

/** A page of the graph with the charts of a vertex, for so many minutes; `every`: how often it asks, ms, where not as the cluster says. */
export async function memory(browser, cluster, { minutes, every }) {
  const job = await cluster.stateMachine();
  const { vertices } = await cluster.get(`jobs/${job}`);
  const { page, context, sound } = await open(browser);
  if (every > 0) {
    const config = await cluster.get("config");
    await page.route("**/config", (route) => route.fulfill({ json: { ...config, "refresh-interval": every } }));
  }
  const session = await context.newCDPSession(page);
  await session.send("Performance.enable");
  await page.goto(`${cluster.url}/#/jobs/${job}/overview?vertex=${vertices[1].id}&tab=metrics`);
  await page.locator(".chart canvas").first().waitFor();
  await page.waitForTimeout(WARM_MS);
  const first = await used(session);
  let last = first;
  for (let sample = 1; sample <= SAMPLES; sample += 1) {
    await page.waitForTimeout((minutes * 60_000) / SAMPLES);
    last = await used(session);
    const at = ((sample * minutes) / SAMPLES).toFixed(1);
    console.log(`  ${at} min: ${mb(last.bytes)} MB, ${last.nodes} nodes, ${last.listeners} listeners`);
  }
  sound();
  const growth = last.bytes - first.bytes;
  said(
    `memory of a tab open on a running job for ${minutes} min grows by`,
    `${mb(growth)} MB (from ${mb(first.bytes)} MB), ${last.nodes - first.nodes} nodes, ${last.listeners - first.listeners} listeners`,
    `${GOAL_MB} MB an hour`,
    growth < GOAL_MB * 1_000_000,
  );
  await context.close();
}

const mb = (bytes) => (bytes / 1_000_000).toFixed(2);

/** What is left after garbage is collected. */
async function used(session) {
  for (let round = 0; round < 3; round += 1) await session.send("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  const value = (name) => metrics.find((metric) => metric.name === name)?.value ?? Number.NaN;
  return { bytes: value("JSHeapUsedSize"), nodes: value("Nodes"), listeners: value("JSEventListeners") };
}
