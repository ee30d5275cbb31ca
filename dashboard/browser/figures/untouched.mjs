/**
 * A browser whose pages nobody has attached to while they load. A page that is watched, as those of the tests are, is slower: for each request
 * the browser keeps where in a script it came from, for which it reads the scripts once more, and whoever watches runs scripts of its own in it.
 */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { executable, SIZES } from "../page.mjs";

/** The longest answer of the browser takes less, ms. */
const PATIENCE = 30_000;

/** So long after a tab was opened the browser has nothing more to do for it, ms. */
const SETTLED = 1000;

export class UntouchedBrowser {
  #process;
  #profile;
  #last = 0;
  #asked = new Map();

  constructor() {
    this.#profile = mkdtempSync(join(tmpdir(), "flott-browser-"));
    const { width, height } = SIZES[0];
    const options = ["--headless", "--no-sandbox", "--no-first-run", "--remote-debugging-pipe", `--window-size=${width},${height}`];
    this.#process = spawn(executable, [...options, `--user-data-dir=${this.#profile}`, "about:blank"], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    let rest = "";
    this.#process.stdio[4].setEncoding("utf8").on("data", (text) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop();
      for (const { id, result, error } of messages.map((message) => JSON.parse(message))) {
        const asked = this.#asked.get(id);
        this.#asked.delete(id);
        if (error) asked?.reject(new Error(error.message));
        else asked?.resolve(result);
      }
    });
  }

  #ask(method, params = {}, sessionId = undefined) {
    const id = (this.#last += 1);
    this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const answer = new Promise((resolve, reject) => this.#asked.set(id, { resolve, reject }));
    const late = sleep(PATIENCE, undefined, { ref: false }).then(() => Promise.reject(new Error(`no answer to ${method}`)));
    return Promise.race([answer, late]);
  }

  /**
   * Goes to a page with an empty cache, leaves it alone for so long, and gives what `expression`, which may be a promise, is in it then. In
   * an `open` tab, which is blank and at rest, or in one that is opened for it, whose process has to start then.
   */
  async visit(url, ms, expression, open) {
    const { browserContextId } = await this.#ask("Target.createBrowserContext");
    const { targetId } = await this.#ask("Target.createTarget", { url: open ? "about:blank" : url, browserContextId });
    if (open) {
      // Nobody is attached any more when it goes there, and the browser has nothing else to do.
      await this.#run(targetId, `setTimeout(() => location.assign(${JSON.stringify(url)}), ${SETTLED})`);
      await sleep(SETTLED);
    }
    await sleep(ms);
    const value = await this.#run(targetId, expression);
    await this.#ask("Target.disposeBrowserContext", { browserContextId });
    return value;
  }

  async #run(targetId, expression) {
    const { sessionId } = await this.#ask("Target.attachToTarget", { targetId, flatten: true });
    const asked = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.#ask("Runtime.evaluate", asked, sessionId);
    await this.#ask("Target.detachFromTarget", { sessionId });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  async close() {
    const gone = new Promise((resolve) => this.#process.once("exit", resolve));
    await this.#ask("Browser.close").catch(() => this.#process.kill());
    await gone;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
