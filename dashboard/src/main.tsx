import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { get } from "./api/client";
import { interval, startPolling } from "./api/poll";
import type { Config } from "./api/types";
import { App } from "./app/App";
import { config } from "./app/cluster";
import { applyTheme } from "./app/settings";
import "./styles/base.css";
import "./styles/pieces.css";
import "./styles/pages.css";
import "./styles/tap.css";

applyTheme();
startPolling();

// A graph is what most links lead to: its script is fetched together with the figures that it will draw.
if (window.location.hash.startsWith("#/job")) void import("./graph/JobGraph");

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

void configure();

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
