/** A browser that notices what goes wrong on a page. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Where pictures go. */
export const pictures = process.env.DASHBOARD_PICTURES ?? fileURLToPath(new URL("../../target/dashboard", import.meta.url));
mkdirSync(pictures, { recursive: true });

/** A folder that vite has built: pages come from there rather than from the programs, so that a change can be tried without compiling it. */
const built = process.env.DASHBOARD_BUILT;

/** The answer keeps the headers of the server, and with them its policy. */
async function serveBuilt(route) {
  const path = new URL(route.request().url()).pathname;
  const file = join(built, path === "/" ? "index.html" : path);
  if (path !== "/" && !path.startsWith("/assets/")) return route.fallback();
  const headers = (await route.fetch({ url: new URL("/", route.request().url()).href }).catch(() => null))?.headers();
  if (!headers || !existsSync(file)) return route.fallback();
  const type = { html: "text/html; charset=utf-8", js: "text/javascript", css: "text/css", svg: "image/svg+xml" }[file.split(".").at(-1)];
  delete headers["content-encoding"];
  delete headers["content-length"];
  return route.fulfill({ headers: { ...headers, "content-type": type }, body: readFileSync(file) });
}

export const SIZES = [
  { width: 1400, height: 900 },
  { width: 390, height: 844 },
];

export const executable = process.env.DASHBOARD_BROWSER ?? "/usr/bin/chromium";

export function launch() {
  // The sandbox needs rights that containers do not give; the pages are our own.
  return chromium.launch({ executablePath: executable, args: ["--no-sandbox"] });
}

/** A page that remembers errors and requests that failed. `expected` are patterns of those that a test provokes. */
export async function open(browser, { size = SIZES[0], scheme = "light", expected = [] } = {}) {
  const context = await browser.newContext({ viewport: size, colorScheme: scheme, acceptDownloads: true });
  if (built) await context.route(/^http:/, serveBuilt);
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const wrong = [];
  const note = (text) => {
    if (!expected.some((pattern) => pattern.test(text))) wrong.push(text);
  };
  page.on("console", (message) => message.type() === "error" && note(`console: ${message.text()} ${message.location().url}`));
  page.on("pageerror", (error) => note(`error: ${error.stack ?? error}`));
  // A page that is left gives up what it has asked for.
  page.on("requestfailed", (request) => request.failure()?.errorText !== "net::ERR_ABORTED" && note(`failed: ${request.url()}`));
  page.on("response", (response) => response.status() >= 400 && note(`${response.status()}: ${response.url()}`));
  page.on("request", (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (protocol.startsWith("http") && hostname !== "localhost" && hostname !== "127.0.0.1") note(`another host: ${request.url()}`);
  });
  return { page, context, wrong, sound: () => assert.deepEqual(wrong, []) };
}

/** No violation of the rules for accessible pages. */
export async function accessible(page, name) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(
      ({ id, help, nodes }) =>
        `${id}: ${help}\n${nodes
          .map((node) => `    ${node.html.slice(0, 200)} ${node.failureSummary ?? ""}`)
          .slice(0, 4)
          .join("\n")}`,
    );
  });
  assert.deepEqual(found, [], `${name} is not accessible`);
}

export async function picture(page, name) {
  await page.screenshot({ path: join(pictures, `${name}.png`) });
}

/** Nothing sticks out of the page to the side. */
export async function fits(page, name) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(over <= 0, `${name} is ${over} px wider than the window`);
}
