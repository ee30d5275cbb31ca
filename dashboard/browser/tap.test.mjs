/** Taps: records are seen as the job shows them, and only where the cluster lets them be seen. */

import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { Cluster, eventually, example } from "./cluster.mjs";
import { accessible, fits, launch, open, picture, SIZES } from "./page.mjs";

let browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
});

/** A cluster that runs payments, whose cards are masked. */
async function payments(options) {
  const cluster = await Cluster.start({ taskManagers: 1, options });
  const job = await cluster.submit(example("tapped_job"), [], ["-Dparallelism.default=2"]);
  await cluster.reaches(job, "RUNNING");
  const { vertices } = await cluster.get(`jobs/${job}`);
  return { cluster, address: (vertex) => `${cluster.url}/#/jobs/${job}/overview?vertex=${vertices[vertex].id}&tab=tap` };
}

test("records go by, masked, chosen by way, subtask and text, until the tap is stopped", async () => {
  const { cluster, address } = await payments(["-Drest.tap.enabled=true"]);
  try {
    for (const [at, size] of SIZES.entries()) {
      for (const scheme of ["light", "dark"]) {
        const { page, sound, context } = await open(browser, { size, scheme });
        const answers = [];
        page.on("response", async (response) => {
          if (/\/tap\//.test(response.url())) answers.push(await response.text().catch(() => ""));
        });
        await page.goto(address(1));
        await page.getByText("The cluster notes who has looked").waitFor();
        assert.equal(answers.length, 0, "nothing is asked before someone begins");
        await page.getByRole("button", { name: "Start the tap" }).click();
        const rows = page.getByRole("region", { name: "Records" }).locator("tbody tr");
        await rows.filter({ hasText: '"card":"masked"' }).first().waitFor();
        await rows.filter({ hasText: "hidden by the job" }).first().waitFor();
        await accessible(page, "a tap");
        await fits(page, "a tap");
        await picture(page, `tap-${at === 0 ? "wide" : "narrow"}-${scheme}`);

        await page.getByRole("group", { name: "Which records" }).getByRole("button", { name: "Out", exact: true }).click();
        await eventually(
          "only records that go out are shown",
          async () => (await rows.filter({ has: page.getByText("in", { exact: true }) }).count()) === 0,
        );
        await page.getByLabel("Search in records").fill("lengths");
        await eventually("only lengths are shown", async () => {
          const texts = await rows.allTextContents();
          return texts.length > 0 && texts.every((text) => text.includes("lengths"));
        });
        await page.getByLabel("Subtask").selectOption("1");
        await eventually("only subtask 1 is shown", async () => {
          const subtasks = await rows.locator("td:nth-child(3)").allTextContents();
          return subtasks.length > 0 && subtasks.every((text) => text === "1");
        });
        await page.getByRole("button", { name: "Stop the tap" }).click();
        await page.getByText("; stopped.").waitFor();
        const before = answers.length;
        await page.waitForTimeout(1500);
        assert.ok(answers.length <= before + 1, "nothing is asked any more");
        assert.ok(answers.join("").includes("masked") && !answers.join("").includes("4111-"));
        await context.close();
        sound();
      }
    }
  } finally {
    cluster.stop();
  }
});

test("where taps are off the page says how to switch them on", async () => {
  const { cluster, address } = await payments([]);
  try {
    const { page, sound, context } = await open(browser);
    await page.goto(address(0));
    await page.getByText("rest.tap.enabled: true").waitFor();
    assert.equal(await page.getByRole("button", { name: "Start the tap" }).count(), 0);
    await accessible(page, "a tap that is off");
    await context.close();
    sound();
  } finally {
    cluster.stop();
  }
});
