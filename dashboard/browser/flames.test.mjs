/** A flame graph of a job that works: where its processor goes, of all subtasks or one, on and off the processor. */

import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { Cluster, example } from "./cluster.mjs";
import { accessible, fits, launch, open, picture, SIZES } from "./page.mjs";

let cluster;
let browser;
let address;

before(async () => {
  browser = await launch();
  cluster = await Cluster.start({ options: ["-Drest.flamegraph.enabled=true"] });
  const job = await cluster.submit(example("observed_job"), [], ["-Dparallelism.default=2"]);
  await cluster.reaches(job, "RUNNING");
  const { vertices } = await cluster.get(`jobs/${job}`);
  const { id } = vertices.find(({ name }) => !name.startsWith("Source"));
  address = `${cluster.url}/#/jobs/${job}/overview?vertex=${id}&tab=flame-graph`;
});

after(async () => {
  await browser?.close();
  cluster?.stop();
});

const samples = async (page) => Number(/([\d\s]+) samples/.exec(await page.getByText(/\d samples/).textContent())[1].replace(/\s/g, ""));

for (const [scheme, size] of [
  ["light", SIZES[0]],
  ["dark", SIZES[1]],
]) {
  test(`a flame graph shows the function that burns the processor, ${scheme}, ${size.width} px wide`, async () => {
    const { page, sound, context } = await open(browser, { scheme, size });
    await page.goto(address);
    const hot = page.locator(".flame", { hasText: "burn_the_processor" }).first();
    await hot.waitFor({ state: "attached" });
    const all = await samples(page);
    await fits(page, "a flame graph");
    await accessible(page, "a flame graph");
    await page.locator(".flames").scrollIntoViewIfNeeded();
    await picture(page, `flame-graph-${scheme}-${size.width}`);

    // One subtask has fewer samples than both.
    await page.getByLabel("Subtask").selectOption("1");
    await page.getByText(/\d samples/).waitFor();
    await hot.waitFor({ state: "attached" });
    assert.match(page.url(), /subtask=1/);
    assert.ok((await samples(page)) < all);

    // Off the processor it waits, and burns nothing.
    await page.getByRole("button", { name: "Off CPU" }).click();
    await page.getByText(/\d samples/).waitFor();
    await page.locator(".flame").nth(1).waitFor({ state: "attached" });
    await accessible(page, "a flame graph of what waits");

    // A box is enlarged, and made small again.
    await page.getByRole("button", { name: "All", exact: true }).click();
    await page.getByLabel("Subtask").selectOption("");
    await hot.waitFor({ state: "attached" });
    await hot.click();
    await page.getByRole("button", { name: "Show all" }).click();
    await page.getByRole("button", { name: "Show all" }).waitFor({ state: "detached" });
    await context.close();
    sound();
  });
}
