import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { get } from "./api/client";
import { interval, startPolling } from "./api/poll";
import type { Config } from "./api/types";
import { App } from "./app/App";
import { config } from "./app/cluster";
import { applyTheme } from "./app/settings";

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

void configure();

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
