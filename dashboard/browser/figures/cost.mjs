/** What an open page of a job with 100 vertices costs the JobManager. */

import { readFileSync } from "node:fs";
import { eventually, example } from "../cluster.mjs";
import { open } from "../page.mjs";
import { said } from "./say.mjs";

const SECONDS = 60;
const GOAL = 0.01;

export async function openPage(browser, cluster) {
  const job = await cluster.submit(example("watched_job"), ["wide"]);
  await eventually("every vertex runs", async () => {
    const { vertices } = await cluster.get(`jobs/${job}`);
    return vertices.length === 100 && vertices.every(({ status }) => status === "RUNNING");
  });
  const { pid } = cluster.processes.get("jobmanager");
  const alone = await share(pid);
  const { page, context, sound } = await open(browser);
  await page.goto(`${cluster.url}/#/jobs/${job}/overview`);
  await page.locator("a.vertex, a.vertex-far").first().waitFor();
  const watched = await share(pid);
  sound();
  await context.close();
  const percent = (part) => `${(part * 100).toFixed(2)} %`;
  said(
    "an open page of a job with 100 vertices costs the JobManager",
    `${percent(watched - alone)} of a core (${percent(watched)} with it, ${percent(alone)} without, over ${SECONDS} s each)`,
    percent(GOAL),
    watched - alone <= GOAL,
  );
}

/** The share of a core that a process takes. */
async function share(pid) {
  const ticks = () => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return Number(fields[11]) + Number(fields[12]);
  };
  const [before, start] = [ticks(), Date.now()];
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
  // A tick is 10 ms.
  return ((ticks() - before) * 10) / (Date.now() - start);
}
