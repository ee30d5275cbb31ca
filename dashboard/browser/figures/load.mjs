/** What is loaded first, and how long until the graph of a running job is drawn. */

import { open } from "../page.mjs";
import { median, said } from "./say.mjs";
import { UntouchedBrowser } from "./untouched.mjs";

const RUNS = 15;
const GOAL_KB = 250;
const GOAL_MS = 500;

export async function firstLoad(browser, cluster) {
  const job = await cluster.stateMachine();
  const { page, context } = await open(browser);
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  await page.goto(`${cluster.url}/#/jobs/${job}/overview`);
  await page.locator("a.vertex .vertex-rates").first().waitFor();
  await page.waitForLoadState("networkidle");
  said("first load with a graph, its figures included", `${(bytes / 1000).toFixed(0)} kB`, `${GOAL_KB} kB`, bytes <= GOAL_KB * 1000);
  await context.close();
}

/** When the browser has shown a vertex and an edge with their figures, ms from the navigation (Element Timing). */
const DRAWN = `new Promise((resolve, reject) => {
  const shown = new Map();
  const watch = new PerformanceObserver((list) => {
    for (const { identifier, renderTime } of list.getEntries()) shown.set(identifier, Math.min(renderTime, shown.get(identifier) ?? Infinity));
    if (shown.has("vertex") && shown.has("edge")) resolve(Math.max(shown.get("vertex"), shown.get("edge")));
  });
  watch.observe({ type: "element", buffered: true });
  setTimeout(() => reject(new Error("no vertex and edge was drawn")), 5000);
})`;

/** Longer than a page takes, ms. */
const LATER = 2000;

export async function drawnGraph(cluster) {
  const job = await cluster.stateMachine();
  const browser = new UntouchedBrowser();
  const address = `${cluster.url}/#/jobs/${job}/overview`;
  const tabs = { "an open": [], "a new": [] };
  try {
    // The first of each is not counted: it starts the browser.
    for (let run = 0; run <= RUNS; run += 1)
      for (const [tab, times] of Object.entries(tabs)) times.push(await browser.visit(address, LATER, DRAWN, tab === "an open"));
  } finally {
    await browser.close();
  }
  for (const [tab, times] of Object.entries(tabs)) tell(tab, times.slice(1));
}

function tell(tab, times) {
  const middle = median(times);
  const span = `${Math.min(...times).toFixed(0)} to ${Math.max(...times).toFixed(0)}`;
  said(
    `from navigation to a drawn graph with figures, in ${tab} tab`,
    `${middle.toFixed(0)} ms, median of ${RUNS} (${span})`,
    `${GOAL_MS} ms`,
    middle <= GOAL_MS,
  );
}
