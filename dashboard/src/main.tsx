import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { get } from "./api/client";
import { callsOf, hasGraph, hasRest } from "./api/early";
import { interval, prefetch, startPolling } from "./api/poll";
import type { Config } from "./api/types";
import { App } from "./app/App";
import { config } from "./app/cluster";
import { applyTheme } from "./app/settings";
import { JobGraph } from "./graph/JobGraphLater";
import { fetchRest } from "./pages/restLater";

applyTheme();
startPolling();

/** The server says how often it wants to be asked; until it has, what is usual holds. */
async function configure(): Promise<void> {
  try {
    const answer = await get<Config>("config");
    config.set(answer);
    if (answer["refresh-interval"] >= 100) interval.set(answer["refresh-interval"]);
  } catch {
    // The page shows that nothing answers; it asks again.
    setTimeout(configure, interval.get());
  }
}

/** How long the page waits for what it shows first, ms. With all of it, it is drawn once, rather than anew with each answer. */
const FIRST_MS = 150;

/** When the scripts of other pages are fetched: the first one is there by then, ms. */
const REST_MS = 1500;

async function first(): Promise<void> {
  const { hash } = window.location;
  // A script that cannot be fetched is told of where it is missing.
  const graph = hasGraph(hash) ? [JobGraph.fetch().catch(() => {})] : [];
  const rest = hasRest(hash) ? [fetchRest()] : [];
  const all = Promise.all([configure(), ...callsOf(hash).map(prefetch), ...graph, ...rest]);
  await Promise.race([all, new Promise((late) => setTimeout(late, FIRST_MS))]);
}

await first();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
  // The next page is shown at once, then. A hidden tab asks nothing.
  setTimeout(() => void (document.hidden || fetchRest()), REST_MS);
}
