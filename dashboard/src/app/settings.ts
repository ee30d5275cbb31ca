/** What a reader has chosen; kept in the browser. */

import { Store } from "../api/store";

export type Theme = "auto" | "light" | "dark";

function stored<T extends string>(key: string, known: readonly T[], usual: T): Store<T> {
  const found = localStorage.getItem(key) as T | null;
  const store = new Store<T>(found !== null && known.includes(found) ? found : usual);
  store.subscribe(() => localStorage.setItem(key, store.get()));
  return store;
}

export const theme = stored<Theme>("flott.theme", ["auto", "light", "dark"], "auto");

export const zone = stored<"local" | "utc">("flott.zone", ["local", "utc"], "local");

/** Lines of charts of metrics: of all subtasks together, or of each. */
export const metricLines = stored<"together" | "subtasks">("flott.metrics.lines", ["together", "subtasks"], "together");

/** The metrics that were chosen last, for a vertex whose address names none. */
export const lastMetrics = {
  read: (): string | null => localStorage.getItem("flott.metrics"),
  write: (names: string): void => localStorage.setItem("flott.metrics", names),
};

const darkPreferred = window.matchMedia("(prefers-color-scheme: dark)");

/** Whether the page is dark now. Charts draw their colours anew when it changes. */
export const dark = new Store<boolean>(false);

export function applyTheme(): void {
  const chosen = theme.get();
  dark.set(chosen === "dark" || (chosen === "auto" && darkPreferred.matches));
  document.documentElement.dataset.theme = dark.get() ? "dark" : "light";
}

theme.subscribe(applyTheme);
darkPreferred.addEventListener("change", applyTheme);
