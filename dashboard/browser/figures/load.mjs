/** What is loaded first, and how long until the graph of a running job is drawn. */

import { open } from "../page.mjs";
import { median, said } from "./say.mjs";

const RUNS = 9;
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

export async function drawnGraph(browser, cluster) {
  const job = await cluster.stateMachine();
  const times = [];
  for (let run = 0; run < RUNS; run += 1) {
    // Each has an empty cache.
    const { page, context } = await open(browser);
    await page.addInitScript(() => {
      new MutationObserver((_, observer) => {
        if (!document.querySelector("a.vertex .vertex-rates") || !document.querySelector(".react-flow__edge")) return;
        observer.disconnect();
        // Behind the frame that shows it.
        requestAnimationFrame(() => setTimeout(() => (window.drawn_ = performance.now())));
      }).observe(document, { subtree: true, childList: true });
    });
    await page.goto(`${cluster.url}/#/jobs/${job}/overview`, { waitUntil: "commit" });
    times.push(await (await page.waitForFunction(() => window.drawn_)).jsonValue());
    await context.close();
  }
  const middle = median(times);
  const span = `${Math.min(...times).toFixed(0)} to ${Math.max(...times).toFixed(0)}`;
  said(
    "from navigation to a drawn graph with figures",
    `${middle.toFixed(0)} ms, median of ${RUNS} (${span})`,
    `${GOAL_MS} ms`,
    middle <= GOAL_MS,
  );
}
