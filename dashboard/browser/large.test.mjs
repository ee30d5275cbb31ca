/** A graph of 500 vertices, from recorded answers: it is there, can be reached by everybody, and can be read when it is enlarged. */

import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { eventually } from "./cluster.mjs";
import { JOB, replay, VERTICES } from "./figures/replay.mjs";
import { accessible, fits, launch, open, picture, SIZES } from "./page.mjs";

let server;
let browser;

before(async () => {
  browser = await launch();
  server = await replay(1000);
});

after(async () => {
  await browser?.close();
  server?.stop();
});

for (const [scheme, size] of [
  ["light", SIZES[0]],
  ["dark", SIZES[1]],
]) {
  test(`a large graph is drawn from afar, and near when it is enlarged, ${scheme}, ${size.width} px wide`, async () => {
    const { page, sound, context } = await open(browser, { scheme, size });
    await page.goto(`${server.url}/#/jobs/${JOB}/overview`);
    await eventually("every vertex is there", async () => (await page.locator("a.vertex-far").count()) === VERTICES);
    await page.getByRole("link", { name: "vertex 250, parallelism 1000" }).hover();
    await accessible(page, "a large graph");
    await fits(page, "a large graph");
    await picture(page, `graph-of-500-${scheme}-${size.width}`);
    // Something is drawn, in more than one colour.
    const colors = await page.evaluate(() => {
      const canvas = document.querySelectorAll("canvas.far-view")[1];
      const dots = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
      return new Set(dots).size;
    });
    assert.ok(colors > 5, `${colors} colours`);
    const nearer = page.getByRole("button", { name: "Zoom In" });
    while ((await page.locator("a.vertex .vertex-rates").count()) === 0) await nearer.click();
    await page.locator(".react-flow__edge").first().waitFor({ state: "attached" });
    assert.ok((await page.locator("a.vertex").count()) < VERTICES / 2, "what is out of sight is not there");
    await accessible(page, "a part of a large graph");
    await context.close();
    sound();
  });
}
