/** The page stays honest while the cluster breaks. */

import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { Cluster, eventually, example } from "./cluster.mjs";
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
    await page.locator(".restart-mark").first().waitFor();
    await picture(page, "restarted");
    await context.close();
    sound();
  } finally {
    cluster.stop();
  }
});

test("a job that waits for slots says so, and can only be canceled", async () => {
  const cluster = await Cluster.start({ taskManagers: 1, slots: 2 });
  try {
    const first = await cluster.stateMachine();
    const job = await cluster.submit(example("watched_job"), ["even"], ["-Dparallelism.default=2"]);
    const { page, sound, context } = await open(browser);
    await page.goto(`${cluster.url}/#/jobs/${job}/overview`);
    await page.getByText("The job waits for slots: 2 needed, 0 free.").waitFor();
    assert.equal(await page.getByRole("button", { name: "Cancel…" }).count(), 1);
    for (const name of ["Checkpoint", "Savepoint…", "Stop…"])
      assert.equal(await page.getByRole("button", { name, exact: true }).count(), 0, name);
    await accessible(page, "a job that waits");
    await picture(page, "waiting");
    // One that ran waits as well when its slots are gone, and nothing leads to the TaskManager that had them.
    cluster.kill("tm-0");
    await page.goto(`${cluster.url}/#/jobs/${first}/overview`);
    await page.getByText("The job waits for slots: 2 needed, 0 free.").waitFor();
    await picture(page, "waiting-again");
    await page.getByRole("link", { name: /Exceptions/ }).click();
    await page.getByText("tm-0 (gone)").first().waitFor();
    assert.equal(await page.getByRole("link", { name: "tm-0" }).count(), 0);
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
