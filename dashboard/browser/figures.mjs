/**
 * Figures of the dashboard: `npm run figures`, or some of them: `npm run figures -- load large cost`. `npm run figures -- memory` watches a
 * page for an hour; with `--minutes 10` for less, with `--every 100` it asks each 100 ms rather than each 3 s. They depend on the machine, so
 * no test asks for them; programs compiled with `--release` are found with `DASHBOARD_PROGRAMS=../target/release`.
 */

import { parseArgs } from "node:util";
import { loadavg } from "node:os";
import { Cluster } from "./cluster.mjs";
import { openPage } from "./figures/cost.mjs";
import { largeGraph } from "./figures/large.mjs";
import { drawnGraph, firstLoad } from "./figures/load.mjs";
import { memory } from "./figures/memory.mjs";
import { launch } from "./page.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: "string", default: "60" }, every: { type: "string" } },
});

const PARTS = {
  load: async (browser) => {
    await withCluster((cluster) => firstLoad(browser, cluster));
    await withCluster(drawnGraph);
  },
  large: (browser) => largeGraph(browser),
  cost: (browser) => withCluster((cluster) => openPage(browser, cluster)),
  memory: (browser) =>
    withCluster((cluster) => memory(browser, cluster, { minutes: Number(options.minutes), every: Number(options.every ?? 0) })),
};

async function withCluster(use) {
  const cluster = await Cluster.start();
  try {
    await use(cluster);
  } finally {
    cluster.stop();
  }
}

const wanted = positionals.length > 0 ? positionals : ["load", "large", "cost"];
const unknown = wanted.filter((part) => !(part in PARTS));
if (unknown.length > 0) throw new Error(`no such figures: ${unknown.join(", ")}; there are ${Object.keys(PARTS).join(", ")}`);

for (const part of wanted) {
  console.log(`# ${part} (load of the machine: ${loadavg()[0].toFixed(1)})`);
  const browser = await launch();
  try {
    await PARTS[part](browser);
  } finally {
    await browser.close();
  }
}
