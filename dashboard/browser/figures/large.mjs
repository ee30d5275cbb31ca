/** A graph of 500 vertices is updated ten times a second, and no frame takes over 50 ms. */

import { open } from "../page.mjs";
import { JOB, replay, VERTICES } from "./replay.mjs";
import { median, said } from "./say.mjs";

const RUNS = 5;
const INTERVAL_MS = 100;
const UPDATES = 50;
const SLOW_MS = 50;

export async function largeGraph(browser) {
  const runs = [];
  for (let run = 0; run < RUNS; run += 1) runs.push(await watch(browser));
  const of = (what) => median(runs.map((run) => run[what]));
  said(`a graph of ${VERTICES} vertices is laid out and drawn`, `${of("drawn").toFixed(0)} ms`);
  said(`updates of it a second (median of ${RUNS} runs of ${UPDATES})`, of("rate").toFixed(1), "10", of("rate") >= 9.5);
  said(
    `the longest frame meanwhile`,
    `${of("longest").toFixed(0)} ms, ${of("slow")} of ${of("frames")} frames over ${SLOW_MS} ms`,
    `no frame over ${SLOW_MS} ms`,
    of("slow") === 0,
  );
}

async function watch(browser) {
  const server = await replay(INTERVAL_MS);
  const { page, context, sound } = await open(browser);
  await page.goto(`${server.url}/#/jobs/${JOB}/overview`);
  await page.locator("a.vertex-far").first().waitFor();
  const drawn = await page.evaluate(() => performance.now());
  // What belongs to the first drawing is over.
  await page.waitForTimeout(1000);
  await page.evaluate(() => {
    window.frames_ = [];
    let last;
    const next = (at) => {
      if (last !== undefined) window.frames_.push(at - last);
      last = at;
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  });
  const [start, before] = [Date.now(), server.state.ticks];
  while (server.state.ticks < before + UPDATES) await page.waitForTimeout(20);
  const seconds = (Date.now() - start) / 1000;
  const frames = await page.evaluate(() => window.frames_);
  await context.close();
  server.stop();
  sound();
  return {
    drawn,
    rate: UPDATES / seconds,
    longest: Math.max(...frames),
    frames: frames.length,
    slow: frames.filter((ms) => ms > SLOW_MS).length,
  };
}
