/** The page stays honest while the cluster breaks. */

import test, { after, before } from "node:test";
import { Cluster, eventually } from "./cluster.mjs";
import { accessible, launch, open, picture } from "./page.mjs";

let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

test("a TaskManager is killed while the page is open: the restart appears", async () => {
  const cluster = await Cluster.start({ taskManagers: 2, slots: 2 });
  try {
    const job = await cluster.stateMachine();
    const { page, sound, context } = await open(browser);
    await page.goto(`${cluster.url}/#/jobs/${job}/overview`);
    await page.locator("a.vertex").first().waitFor();
    const { vertices } = await cluster.get(`jobs/${job}`);
    const detail = await cluster.get(`jobs/${job}/vertices/${vertices[0].id}`);
    cluster.kill(detail.subtasks[0]["taskmanager-id"]);
    await eventually("the job has restarted", async () => {
      const flow = await cluster.get(`jobs/${job}/flow`);
      return flow.restarts > 0 && flow.state === "RUNNING";
    });
    await page.locator("dt", { hasText: "Restarts" }).locator("xpath=following-sibling::dd").getByText(/[1-9]/).waitFor();
    await page.getByRole("link", { name: /Exceptions/ }).click();
    await page.getByRole("heading", { name: /failure.*restart/ }).waitFor();
    await picture(page, "restarted");
    await context.close();
    sound();
  } finally {
    cluster.stop();
  }
});

test("the JobManager is gone: the page says since when, and goes on when it is back", async () => {
  const cluster = await Cluster.start({ taskManagers: 1 });
  try {
    const { page, sound, context } = await open(browser, { expected: [/ERR_CONNECTION|^failed: /] });
    await page.goto(`${cluster.url}/#/overview`);
    await page.getByText("Task slots in use").waitFor();
    const rest = new URL(cluster.url).port;
    cluster.kill("jobmanager");
    await page.getByText(/Connection lost since \d\d:\d\d:\d\d/).waitFor();
    await accessible(page, "a page without a connection");
    await picture(page, "connection-lost");
    await cluster.startJobManager(cluster.port, rest);
    await page.getByText(/Connection lost/).waitFor({ state: "detached" });
    await context.close();
    sound();
  } finally {
    cluster.stop();
  }
});
