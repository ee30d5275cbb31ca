/** A cluster that asks for tokens: who may only look is offered nothing else, and refused if they try. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { after, before } from "node:test";
import { Cluster, example } from "./cluster.mjs";
import { accessible, launch, open, picture } from "./page.mjs";

let cluster;
let browser;
let job;

before(async () => {
  browser = await launch();
  cluster = await Cluster.start({ tokens: true });
  job = await cluster.submit(example("watched_job"), ["even"], ["-Dexecution.checkpointing.interval=500 ms"]);
  await cluster.reaches(job, "RUNNING");
});

after(async () => {
  await browser?.close();
  cluster?.stop();
});

/** Until somebody logs in every call is refused, and the browser says so. */
const REFUSED = [/ 401 \(|^401: /];

async function logIn(page, role) {
  await page.getByLabel("Token").fill(cluster.tokens[role]);
  await page.getByRole("button", { name: "Log in" }).click();
}

test("a stranger is asked for a token, and a wrong one is not taken", async () => {
  const { page, sound, context } = await open(browser, { expected: REFUSED });
  await page.goto(`${cluster.url}/#/jobs/${job}/overview`);
  await page.getByLabel("Token").waitFor();
  await accessible(page, "the login");
  await picture(page, "login");
  await page.getByLabel("Token").fill("flott_wrong");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("the cluster does not know this token").waitFor();
  await logIn(page, "viewer");
  // What the link led to, not the first page.
  await page.locator("a.vertex .vertex-rates").first().waitFor();
  await context.close();
  sound();
});

test("a viewer sees everything and is offered no action", async () => {
  const { page, sound, context } = await open(browser, { expected: REFUSED });
  await page.goto(`${cluster.url}/#/jobs/${job}/overview`);
  await logIn(page, "viewer");
  await page.locator("a.vertex .vertex-rates").first().waitFor();
  await page.getByRole("button", { name: "log out viewer" }).waitFor();
  // Loaded again, the token is still there, and no action is shown while the role is asked for.
  await page.reload();
  await page.locator("a.vertex .vertex-rates").first().waitFor();
  for (const name of ["Checkpoint", "Savepoint…", "Stop…", "Cancel…"])
    assert.equal(await page.getByRole("button", { name, exact: true }).count(), 0, name);
  assert.equal(await page.getByRole("link", { name: "Submit" }).count(), 0);
  await accessible(page, "a job for a viewer");
  await picture(page, "viewer-graph");
  await page.goto(`${cluster.url}/#/jobs/${job}/rescale`);
  await page.getByText("Needs").waitFor();
  assert.ok(await page.locator(".rescale input").first().isDisabled());
  assert.equal(await page.getByRole("button", { name: "Rescale…" }).count(), 0);
  await accessible(page, "the parallelism for a viewer");
  await picture(page, "viewer-rescale");
  await page.goto(`${cluster.url}/#/submit`);
  await page.getByText("you may not submit any").waitFor();
  for (const [address, text] of [
    [`jobs/${job}/checkpoints`, "Guarantee"],
    ["task-managers/tm-0/log", "registered at the JobManager"],
    ["job-manager/configuration", "security.tokens.file"],
  ]) {
    await page.goto(`${cluster.url}/#/${address}`);
    await page.getByText(text).first().waitFor();
  }
  await context.close();
  sound();
});

test("what a viewer's page does not offer is refused to its token, too", async () => {
  const calls = [
    ["PATCH", `jobs/${job}?mode=cancel`],
    ["POST", `jobs/${job}/checkpoints`],
    ["POST", `jobs/${job}/savepoints`],
    ["POST", `jobs/${job}/stop`],
    ["PUT", `jobs/${job}/resource-requirements`],
    ["POST", "jars/upload"],
    ["DELETE", "cluster"],
  ];
  const { page, context } = await open(browser, { expected: [/40[13] \(|^40[13]: /] });
  await page.goto(`${cluster.url}/#/overview`);
  await logIn(page, "viewer");
  await page.getByText("Task slots in use").waitFor();
  // As the page itself would call: same origin, same token.
  const statuses = await page.evaluate(async (calls) => {
    const headers = { Authorization: `Bearer ${sessionStorage.getItem("flott.token")}`, "Content-Type": "application/json" };
    return Promise.all(calls.map(async ([method, path]) => [path, (await fetch(path, { method, headers, body: "{}" })).status]));
  }, calls);
  assert.deepEqual(
    statuses,
    calls.map(([, path]) => [path, 403]),
  );
  assert.equal((await cluster.get(`jobs/${job}/status`)).status, "RUNNING");
  await context.close();
});

test("an operator is offered what changes a job, but not to bring programs; logging out forgets the token", async () => {
  const { page, sound, context } = await open(browser, { expected: REFUSED });
  await page.goto(`${cluster.url}/#/jobs/${job}/overview`);
  await logIn(page, "operator");
  await page.getByRole("button", { name: "Checkpoint", exact: true }).click();
  await page.getByText("The checkpoint is complete").waitFor();
  assert.equal(await page.getByRole("link", { name: "Submit" }).count(), 0);
  await page.getByRole("button", { name: "log out operator" }).click();
  await page.getByLabel("Token").waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.getItem("flott.token")), null);
  await context.close();
  sound();
});

test("a log is saved with the token, also where the browser offers no file to write to", async () => {
  const { page, sound, context } = await open(browser, { expected: REFUSED });
  await page.addInitScript(() => delete window.showSaveFilePicker);
  await page.goto(`${cluster.url}/#/job-manager/log`);
  await logIn(page, "viewer");
  await page.getByText("a TaskManager has registered").first().waitFor();
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download" }).click();
  const saved = await download;
  assert.equal(saved.suggestedFilename(), "log.txt");
  assert.match(readFileSync(await saved.path(), "utf8"), /a TaskManager has registered/);
  await context.close();
  sound();
});
