/** Every page, in both themes and on wide and narrow screens: it shows what is there, is accessible, and nothing fails. */

import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { Cluster, eventually, example } from "./cluster.mjs";
import { accessible, fits, launch, open, picture, SIZES } from "./page.mjs";

let cluster;
let browser;
let jobs;

before(async () => {
  browser = await launch();
  cluster = await Cluster.start();
  const often = ["-Dexecution.checkpointing.interval=500 ms"];
  const restarts = [
    "-Drestart-strategy.type=fixed-delay",
    "-Drestart-strategy.fixed-delay.attempts=1",
    "-Drestart-strategy.fixed-delay.delay=200 ms",
  ];
  const machine = await cluster.stateMachine();
  const words = await cluster.submit(example("word_count"), ["--output", cluster.path("words")]);
  const slow = await cluster.submit(example("watched_job"), ["slow"], ["-Dparallelism.default=2", ...often]);
  const broken = await cluster.submit(example("watched_job"), ["panic"], restarts);
  await Promise.all([cluster.reaches(words, "FINISHED"), cluster.reaches(broken, "FAILED"), cluster.reaches(slow, "RUNNING")]);
  await eventually("checkpoints are complete", async () => (await cluster.get(`jobs/${machine}/checkpoints`)).counts.completed > 5);
  await eventually("the bottleneck is known", async () => (await cluster.get(`jobs/${slow}/flow`)).bottleneck !== null);
  const { vertices } = await cluster.get(`jobs/${slow}`);
  const { vertices: ofMachine } = await cluster.get(`jobs/${machine}`);
  jobs = { machine, words, slow, broken, vertex: vertices.at(-1).id, sink: ofMachine.at(-1).id, source: ofMachine[0].id };
});

after(async () => {
  await browser?.close();
  cluster?.stop();
});

/** Name, address, and a text that shows that the page is there. */
const pages = () => {
  const vertex = (tab) => `#/jobs/${jobs.slow}/overview?vertex=${jobs.vertex}&tab=${tab}`;
  return [
    ["overview", "#/overview", "state-machine"],
    ["jobs", "#/jobs", "word-count"],
    ["graph", `#/jobs/${jobs.slow}/overview`, "Bottleneck:"],
    ["graph-of-two", `#/jobs/${jobs.machine}/overview`, "Source: generator"],
    ["vertex-subtasks", vertex("subtasks"), "Received"],
    ["vertex-load", vertex("backpressure"), "Shares of the time"],
    ["vertex-metrics", vertex("metrics"), "numRecordsInPerSecond"],
    ["vertex-watermarks", vertex("watermarks"), "Behind"],
    ["vertex-taskmanagers", vertex("task-managers"), "tm-"],
    ["vertex-accumulators", vertex("accumulators"), "The vertex has none"],
    ["vertex-flame-graph", vertex("flame-graph"), "Off CPU"],
    ["checkpoints", `#/jobs/${jobs.machine}/checkpoints`, "Guarantee"],
    ["exceptions", `#/jobs/${jobs.broken}/exceptions`, "cannot be delivered"],
    ["timeline", `#/jobs/${jobs.slow}/timeline`, "deploying"],
    ["configuration", `#/jobs/${jobs.machine}/configuration`, "Restart strategy"],
    ["rescale", `#/jobs/${jobs.slow}/rescale`, "Needs"],
    ["taskmanagers", "#/task-managers", "tm-1"],
    ["taskmanager", "#/task-managers/tm-0/metrics", "CPU cores"],
    ["taskmanager-configuration", "#/task-managers/tm-0/configuration", "taskmanager.resource-id"],
    ["taskmanager-threads", "#/task-managers/tm-0/threads", "Equal stacks together"],
    ["taskmanager-log", "#/task-managers/tm-0/log", "registered at the JobManager"],
    ["jobmanager", "#/job-manager/metrics", "Exchanged over control connections and REST"],
    ["jobmanager-configuration", "#/job-manager/configuration", "env.log.dir"],
    ["jobmanager-log", "#/job-manager/log", "checkpoint completed"],
    ["jobmanager-files", "#/job-manager/files", "flott-jobmanager.log"],
    ["jobmanager-threads", "#/job-manager/threads", "flott-web"],
    ["submit", "#/submit", "Upload an executable"],
  ];
};

for (const scheme of ["light", "dark"]) {
  for (const size of SIZES) {
    test(`every page is there, ${scheme}, ${size.width} px wide`, async () => {
      const { page, sound, context } = await open(browser, { scheme, size });
      for (const [name, address, text] of pages()) {
        await page.goto(`${cluster.url}/${address}`);
        await page.getByText(text).first().waitFor({ state: "attached" });
        await page.waitForLoadState("networkidle");
        await fits(page, name);
        await accessible(page, name);
        await picture(page, `${name}-${scheme}-${size.width}`);
      }
      await context.close();
      sound();
    });
  }
}

test("addresses of Flink's dashboard lead to the same things", async () => {
  const { page, sound, context } = await open(browser);
  await page.goto(`${cluster.url}/#/job/running/${jobs.machine}/overview`);
  await page.getByRole("heading", { name: "state-machine" }).waitFor();
  await page.goto(`${cluster.url}/#/task-manager/tm-0/logs`);
  await page.getByText("registered at the JobManager").waitFor();
  await context.close();
  sound();
});

test("the graph tells rates, load and the way of the records", async () => {
  const { page, sound, context } = await open(browser);
  await page.goto(`${cluster.url}/#/jobs/${jobs.slow}/overview`);
  const sink = page.locator("a.vertex", { hasText: "delivery" });
  await sink.getByText("bottleneck").waitFor();
  await page.locator(".edge-label", { hasText: "hash" }).getByText("/s").waitFor();
  await page.locator("a.vertex", { hasText: "totals" }).hover();
  await page.locator(".vertex-upstream", { hasText: "orders" }).waitFor();
  await page.locator(".vertex-downstream", { hasText: "delivery" }).waitFor();
  await sink.click();
  await page.getByRole("region", { name: /^vertex delivery/ }).waitFor();
  assert.match(page.url(), /vertex=[0-9a-f]{32}/);
  await page.keyboard.press("Escape");
  await page.getByRole("region", { name: /^vertex delivery/ }).waitFor({ state: "detached" });
  await context.close();
  sound();
});

test("sources tell what they read, sinks what they are given, and metrics are searched for", async () => {
  const { page, sound, context } = await open(browser);
  const vertex = (id, tab) => `${cluster.url}/#/jobs/${jobs.machine}/overview?vertex=${id}&tab=${tab}`;
  const cell = (table, title) => page.getByRole("region", { name: table, exact: true }).locator(`td[data-label="${title}"]`).first();
  const some = async (table, title) => /^[1-9]/.test(((await cell(table, title).textContent()) ?? "").trim());
  for (const [id, title] of [
    [jobs.source, "Received"],
    [jobs.sink, "Sent"],
  ]) {
    await page.goto(vertex(id, "subtasks"));
    await cell("subtasks", title).waitFor();
    await eventually(`subtasks of a source or sink have ${title}`, () => some("subtasks", title));
    await page.goto(vertex(id, "task-managers"));
    await cell("task managers", title).waitFor();
    await eventually(`TaskManagers of a source or sink have ${title}`, () => some("task managers", title));
  }
  // A source that numbers events tells the watermark that it sends.
  const { vertices } = await cluster.get(`jobs/${jobs.slow}`);
  const orders = vertices.find(({ name }) => name.startsWith("Source: orders"));
  await page.goto(`${cluster.url}/#/jobs/${jobs.slow}/overview?vertex=${orders.id}&tab=watermarks`);
  await page.getByRole("region", { name: "watermarks", exact: true }).locator("time").first().waitFor();
  await page.goto(`${cluster.url}/#/jobs/${jobs.slow}/overview?vertex=${orders.id}&tab=metrics`);
  await page.getByLabel("Add a metric").fill("currentOutputWater");
  await page.getByRole("button", { name: "Add", exact: true }).or(page.getByText("2 have this in their names")).first().waitFor();
  await page.getByLabel("Add a metric").fill("currentOutputWatermark");
  await page.keyboard.press("Enter");
  await page.locator("figcaption", { hasText: /currentOutputWatermark.*\d{4}-\d\d-\d\d .* behind/ }).waitFor();
  await page.goto(
    `${cluster.url}/#/jobs/${jobs.words}/overview?vertex=${(await cluster.get(`jobs/${jobs.words}`)).vertices[0].id}&tab=flame-graph`,
  );
  await page.getByText(/does not run any more|switched off/).waitFor();
  await page
    .locator("a.vertex .vertex-rates", { hasText: /\d+ in\s*\d+ out/ })
    .first()
    .waitFor();
  await context.close();
  sound();
});

test("a checkpoint asks for the subtasks of the vertex that is opened alone", async () => {
  const { page, sound, context } = await open(browser);
  const asked = [];
  page.on("request", (request) => /\/details\/\d+\/subtasks\//.test(request.url()) && asked.push(request.url()));
  const { latest } = await cluster.get(`jobs/${jobs.words}/checkpoints`);
  const { vertices } = await cluster.get(`jobs/${jobs.words}`);
  await page.goto(`${cluster.url}/#/jobs/${jobs.words}/checkpoints?checkpoint=${latest.completed.id}`);
  await page.getByRole("button", { name: /Source: / }).waitFor();
  assert.deepEqual(asked, []);
  await page.getByRole("button", { name: /Source: / }).click();
  await page
    .getByRole("group", { name: /^subtasks of Source: / })
    .locator(".phase-row")
    .first()
    .waitFor();
  assert.ok(asked.length > 0 && asked.every((url) => url.endsWith(vertices[0].id)));
  await accessible(page, "the phases of a checkpoint");
  await context.close();
  sound();
});

test("every attempt is on the timeline, and what is opened is in the address", async () => {
  const { page, sound, context } = await open(browser);
  await page.goto(`${cluster.url}/#/jobs/${jobs.broken}/timeline`);
  const row = page.getByRole("button", { name: /delivery/ });
  await row.click();
  await page.locator(".gantt-sub .span-failed").nth(1).waitFor({ state: "attached" });
  assert.match(page.url(), /open=[0-9a-f]{32}/);
  await page.reload();
  await page.locator(".gantt-sub .span-running").nth(1).waitFor({ state: "attached" });
  await accessible(page, "a timeline");
  await picture(page, "timeline-attempts");
  await context.close();
  sound();
});

test("cards on a narrow screen are sorted by a choice", async () => {
  const { page, sound, context } = await open(browser, { size: SIZES[1] });
  await page.goto(`${cluster.url}/#/jobs`);
  await page.getByLabel("Sort by").first().selectOption({ label: "Name" });
  await eventually("the order is in the address", () => page.url().includes("sort=name"));
  await page.getByRole("button", { name: "ascending; sort descending" }).first().click();
  await eventually("it is turned round", () => page.url().includes("sort=-name"));
  await context.close();
  sound();
});

test("ages are told by the clock of the server", async () => {
  const { page, sound, context } = await open(browser);
  await page.clock.setFixedTime(new Date(Date.now() - 7_200_000));
  await page.goto(`${cluster.url}/#/jobs/${jobs.machine}/overview`);
  await page
    .locator("dt", { hasText: "Last checkpoint" })
    .locator("xpath=following-sibling::dd")
    .getByText(/^(just now|[\d.]+ s ago)$/)
    .waitFor();
  await page.locator(".subtitle", { hasText: /for \d/ }).waitFor();
  await context.close();
  sound();
});

test("a panic is shown with its cause, line and task", async () => {
  const { page, sound, context } = await open(browser);
  await page.goto(`${cluster.url}/#/jobs/${jobs.broken}/exceptions`);
  await page
    .getByText(/order \d+ cannot be delivered/)
    .first()
    .waitFor();
  await page
    .getByText(/watched_job\.rs:\d+/)
    .first()
    .waitFor();
  await page
    .getByText(/task delivery \(1\/1\)/)
    .first()
    .waitFor();
  await page.getByRole("heading", { name: "2 failures, 1 restart" }).waitFor();
  await context.close();
  sound();
});

test("a log is searched, filtered, read from the end and downloaded", async () => {
  const { page, sound, context } = await open(browser);
  await page.goto(`${cluster.url}/#/job-manager/log`);
  await page.getByText("checkpoint completed").first().waitFor();
  await page.getByLabel("Search the log").fill("TaskManager has registered");
  await page.getByText("2 lines in the whole file").waitFor();
  await page.getByLabel("Level").selectOption("ERROR");
  await page.getByText("No line matches.").waitFor();
  await page.getByText("0 lines in the whole file").waitFor();
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download" }).click();
  assert.equal((await download).suggestedFilename(), "log.txt");
  await context.close();
  sound();
});

test("a large log is searched to its beginning in pieces, and what is found is shown in its place", async () => {
  const line = (number, level) => `2026-11-22T13:58:05Z ${level} shop: event number ${number} of many\n`;
  const lines = Array.from({ length: 80_000 }, (_, number) => line(number, number % 30_000 === 99 ? "ERROR" : "INFO"));
  // Nothing else writes there.
  appendFileSync(join(cluster.logs, "flott-jobmanager.out"), lines.join(""));
  const { page, sound, context } = await open(browser);
  const largest = { bytes: 0, reads: 0 };
  page.on("response", async (response) => {
    if (!response.url().endsWith("/jobmanager/stdout")) return;
    largest.reads += 1;
    largest.bytes = Math.max(largest.bytes, Number(response.headers()["content-length"] ?? Number.POSITIVE_INFINITY));
  });
  await page.goto(`${cluster.url}/#/job-manager/stdout`);
  await page.getByText("event number 79999 of many").waitFor();
  await page.getByLabel("Level").selectOption("ERROR");
  await page.getByText("3 lines in the whole file").waitFor();
  assert.equal(await page.locator(".log-line").count(), 3);
  await accessible(page, "what was found in a log");
  await picture(page, "log-filtered");
  await page.getByLabel("Search the log").fill("number 99 ");
  await page.getByText("1 line in the whole file").waitFor();
  await page.getByRole("button", { name: "show the lines around" }).click();
  await page.locator(".log-around", { hasText: "event number 99 of many" }).waitFor();
  await page.getByText("event number 98 of many").waitFor();
  await page.getByRole("button", { name: /^Show later lines/ }).waitFor();
  // Where very much is found, only as much as fits on a screen is.
  await page.getByLabel("Search the log").fill("event");
  await page.getByRole("button", { name: "Search further up" }).or(page.getByText("in the whole file")).first().waitFor();
  await page.getByLabel("Follow").check();
  await page.getByText("event number 79999 of many").waitFor();
  assert.ok(largest.reads > 5 && largest.bytes <= 3 * 1024 * 1024, `${largest.reads} parts of at most ${largest.bytes} bytes`);
  await context.close();
  sound();
});

test("threads with the same stack stand together, and are searched for", async () => {
  const { page, sound, context } = await open(browser);
  await page.goto(`${cluster.url}/#/task-managers/tm-0/threads`);
  const stacks = page.locator(".stacks > li");
  await stacks.first().waitFor();
  const together = await stacks.count();
  await page.getByLabel("Equal stacks together").uncheck();
  await eventually("each thread stands alone", async () => (await stacks.count()) > together);
  const all = await stacks.count();
  await page.getByLabel("Search threads").fill("flott-observer");
  await eventually("one is found", async () => (await stacks.count()) === 1);
  await page.getByText(`1 of ${all} threads`).waitFor();
  await context.close();
  sound();
});

test("a metric has a line for each subtask, and that is remembered", async () => {
  const { page, sound, context } = await open(browser);
  const vertex = (id) => `${cluster.url}/#/jobs/${jobs.machine}/overview?vertex=${id}&tab=metrics`;
  await page.goto(vertex(jobs.sink));
  await page.getByRole("button", { name: "By subtask" }).click();
  const legend = page.locator(".chart .u-legend").first();
  await legend.getByText("subtask 1").waitFor();
  assert.match(page.url(), /lines=subtasks/);
  await eventually("both have values", async () =>
    (await legend.locator(".u-value").allTextContents()).slice(1).every((text) => /\d/.test(text)),
  );
  await page.getByRole("button", { name: "remove numRecordsInPerSecond" }).click();
  await page.goto(vertex(jobs.source));
  await page.locator(".chart .u-legend").first().getByText("subtask 0").waitFor();
  assert.equal(await page.getByRole("button", { name: "remove numRecordsInPerSecond" }).count(), 0);
  await picture(page, "metrics-by-subtask");
  await context.close();
  sound();
});

for (const size of SIZES) {
  test(`every word and figure of a vertex can be read, ${size.width} px wide`, async () => {
    const { page, sound, context } = await open(browser, { size });
    await page.goto(`${cluster.url}/#/jobs/${jobs.slow}/overview`);
    await page.locator("a.vertex .load-share").nth(14).waitFor();
    // The widest figures that there may be.
    await page.evaluate(() => {
      for (const share of document.querySelectorAll(".load-share b")) share.textContent = "100 %";
    });
    const cut = await page.evaluate(() => {
      const all = [...document.querySelectorAll("a.vertex")].flatMap((vertex) => {
        const box = vertex.getBoundingClientRect();
        const parts = [...vertex.querySelectorAll(".load-share, .load-share span, .vertex-rates span, .vertex-more span")];
        return parts.map((part) => ({
          text: part.textContent,
          at: part.getBoundingClientRect(),
          box,
          wide: part.scrollWidth - part.clientWidth,
        }));
      });
      return all
        .filter(({ at, box, wide }) => wide > 1 || at.left < box.left || at.right > box.right || at.bottom > box.bottom || at.height < 9)
        .map(({ text, at }) => `${text}: ${at.width} x ${at.height}`);
    });
    assert.deepEqual(cut, []);
    const overlapping = await page.evaluate(
      () =>
        [...document.querySelectorAll(".load-shares")].filter((shares) => {
          const [busy, waits, idle] = [...shares.children].map((share) => share.getBoundingClientRect());
          return busy.right > waits.left || waits.right > idle.left;
        }).length,
    );
    assert.equal(overlapping, 0);
    await context.close();
    sound();
  });
}

test("the keyboard reaches everything, and what is chosen stays in the address", async () => {
  const { page, sound, context } = await open(browser);
  await page.goto(`${cluster.url}/#/jobs`);
  await page.getByText("word-count").waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Skip to content");
  await page.getByRole("button", { name: "Name" }).first().focus();
  await page.keyboard.press("Enter");
  await eventually("the order is in the address", () => page.url().includes("sort=name"));
  await page.reload();
  await page.getByRole("columnheader", { name: "Name" }).first().waitFor();
  assert.equal(await page.getByRole("columnheader", { name: "Name" }).first().getAttribute("aria-sort"), "ascending");
  await context.close();
  sound();
});

test("theme and zone are remembered", async () => {
  const { page, sound, context } = await open(browser);
  await page.goto(`${cluster.url}/#/overview`);
  await page.getByRole("button", { name: "theme: auto" }).click();
  await page.getByRole("button", { name: "theme: light" }).click();
  await page.getByRole("button", { name: "local time" }).click();
  await page.reload();
  await page.getByText(" UTC").first().waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await context.close();
  sound();
});

test("what a page begins with is asked for once", async () => {
  const { page, sound, context } = await open(browser);
  // No tick of the clock comes between.
  const config = { ...(await cluster.get("config")), "refresh-interval": 60_000 };
  await page.route("**/config", (route) => route.fulfill({ json: config }));
  const asked = [];
  page.on("request", (request) => asked.push(request.url().slice(cluster.url.length + 1)));
  await page.goto(`${cluster.url}/#/jobs/${jobs.slow}/overview`);
  await page.locator("a.vertex .vertex-rates").first().waitFor();
  await page.waitForLoadState("networkidle");
  const job = `jobs/${jobs.slow}`;
  assert.deepEqual(asked.filter((path) => /^(jobs|config)/.test(path)).sort(), [
    "config",
    job,
    `${job}/exceptions?maxExceptions=20`,
    `${job}/flow`,
  ]);
  await context.close();
  sound();
});

test("a hidden tab asks nothing", async () => {
  const { page, sound, context } = await open(browser);
  await page.goto(`${cluster.url}/#/overview`);
  await page.getByText("state-machine").waitFor();
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await page.waitForLoadState("networkidle");
  let calls = 0;
  page.on("request", () => {
    calls += 1;
  });
  const { "refresh-interval": interval } = await cluster.get("config");
  await page.waitForTimeout(interval + 1000);
  assert.equal(calls, 0);
  await page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: false, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await eventually("it asks again", () => calls > 0);
  await context.close();
  sound();
});
