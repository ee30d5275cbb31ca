/** What a user does: snapshots, stop, cancel, submit. */

import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import test, { after, before } from "node:test";
import { Cluster, eventually, example } from "./cluster.mjs";
import { accessible, launch, open, picture } from "./page.mjs";

let cluster;
let browser;

before(async () => {
  browser = await launch();
  cluster = await Cluster.start();
});

after(async () => {
  await browser?.close();
  cluster?.stop();
});

test("a job is checkpointed, given a savepoint, stopped", async () => {
  const job = await cluster.stateMachine();
  const { page, sound, context } = await open(browser);
  await page.goto(`${cluster.url}/#/jobs/${job}/overview`);
  await page.getByRole("button", { name: "Checkpoint", exact: true }).click();
  await page.getByText("The checkpoint is complete").waitFor();
  await page.getByRole("button", { name: "Savepoint…" }).click();
  await page.getByLabel(/^Folder/).fill(cluster.path("saved"));
  await accessible(page, "the dialog of a savepoint");
  await picture(page, "dialog-savepoint");
  await page.getByRole("button", { name: "Take the savepoint" }).click();
  const text = await page.getByText("The savepoint is complete: ").textContent();
  assert.ok(existsSync(text.replace("The savepoint is complete: ", "").trim()), text);
  await page.getByRole("button", { name: "Stop…" }).click();
  await page.getByLabel(/^Folder/).fill(cluster.path("saved"));
  await page.getByRole("button", { name: "Stop the job" }).click();
  await page.getByText("The job has stopped. Its savepoint: ").waitFor();
  await page.getByRole("heading", { name: /finished/ }).waitFor();
  await context.close();
  sound();
});

test("a cancel is confirmed first", async () => {
  const job = await cluster.stateMachine();
  const { page, sound, context } = await open(browser);
  await page.goto(`${cluster.url}/#/jobs/${job}/overview`);
  await page.getByRole("button", { name: "Cancel…" }).click();
  await page.getByText("without a last checkpoint").waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("without a last checkpoint").waitFor({ state: "detached" });
  assert.equal((await cluster.get(`jobs/${job}/status`)).status, "RUNNING");
  await page.getByRole("button", { name: "Cancel…" }).click();
  await page.getByRole("button", { name: "Cancel the job" }).click();
  await page.getByRole("heading", { name: /canceled/ }).waitFor();
  await context.close();
  sound();
});

test("a job is rescaled, and what that needs is known before", async () => {
  const job = await cluster.stateMachine();
  const { page, sound, context } = await open(browser);
  await page.goto(`${cluster.url}/#/jobs/${job}/rescale`);
  await page.getByText("Needs 2 slots; the job holds 2 and 6 are free.").waitFor();
  assert.ok(await page.getByRole("button", { name: "Rescale…" }).isDisabled());
  const fields = page.locator(".rescale input");
  assert.equal(await fields.count(), 2);
  for (const field of await fields.all()) await field.fill("9");
  await page.getByText("Needs 9 slots; the job holds 2 and 6 are free: it will run with fewer until 1 more is there.").waitFor();
  await accessible(page, "a rescale that needs more slots");
  await picture(page, "rescale-too-much");
  for (const field of await fields.all()) await field.fill("4");
  await page.getByText("Needs 4 slots; the job holds 2 and 6 are free.").waitFor();
  await page.getByRole("button", { name: "Rescale…" }).click();
  await page.getByRole("dialog").getByText("Source: generator: 2 → 4").waitFor();
  await accessible(page, "the dialog of a rescale");
  await picture(page, "dialog-rescale");
  await page.getByRole("button", { name: "Rescale", exact: true }).click();
  await page.getByText("the job holds 4 and 4 are free").waitFor();
  await page.getByText("The job has the parallelism that is asked for.").waitFor();
  await page.getByRole("region", { name: "rescales" }).getByText("Source: generator: 2 → 4").waitFor();
  // Twice the same need not be asked for.
  assert.ok(await page.getByRole("button", { name: "Rescale…" }).isDisabled());
  await page.getByRole("link", { name: "Graph" }).click();
  await page.locator("a.vertex", { hasText: "Source: generator" }).getByText("×4").waitFor();
  await page.locator("dt", { hasText: "Tasks" }).locator("xpath=following-sibling::dd").getByText("8 running").waitFor();
  await picture(page, "rescaled");
  const { vertices } = await cluster.get(`jobs/${job}`);
  assert.deepEqual(
    vertices.map(({ parallelism }) => parallelism),
    [4, 4],
  );
  await page.getByRole("button", { name: "Cancel…" }).click();
  await page.getByRole("button", { name: "Cancel the job" }).click();
  await page.getByRole("heading", { name: /canceled/ }).waitFor();
  await context.close();
  sound();
});

test("a program is uploaded, planned, run and removed", async () => {
  const { page, sound, context } = await open(browser);
  await page.goto(`${cluster.url}/#/submit`);
  await page.getByLabel("Upload an executable").setInputFiles(example("word_count"));
  await page.getByRole("heading", { name: "Run word_count" }).waitFor();
  await page.getByLabel("Arguments").fill(`--output "${cluster.path("two words")}"`);
  await page.getByRole("button", { name: "Check and show the plan" }).click();
  await page.getByText("It can run here").waitFor();
  await page.locator("a.vertex").first().waitFor();
  await accessible(page, "the plan of a program");
  await picture(page, "submit-plan");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByRole("heading", { name: /word-count/ }).waitFor();
  await page.getByRole("heading", { name: /finished/ }).waitFor();
  await eventually("the result is there", () => existsSync(cluster.path("two words")));
  await page.getByRole("link", { name: "Submit" }).click();
  await page.getByRole("button", { name: "Remove…" }).first().click();
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  await page.getByText("None yet.").waitFor();
  await context.close();
  sound();
});

test("what cannot run says why", async () => {
  const text = cluster.path("text.txt");
  writeFileSync(text, "this is no program");
  const { page, sound, context } = await open(browser, { expected: [/ 4\d\d \(|^4\d\d: .*jars/] });
  await page.goto(`${cluster.url}/#/submit`);
  await page.getByLabel("Upload an executable").setInputFiles(text);
  // It is refused at once, or when it is checked.
  const refused = page.getByText("The program was not taken");
  const check = page.getByRole("button", { name: "Check and show the plan" });
  await refused.or(check).first().waitFor();
  if (await check.isVisible()) {
    await check.click();
    await page.getByText("It cannot run like this:").waitFor();
  }
  await picture(page, "submit-refused");
  await context.close();
  sound();
});
