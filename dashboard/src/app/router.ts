/** The address behind `#`: it says what is shown, so that a link shows the same to others. */

import { useCallback, useSyncExternalStore } from "react";

export interface Route {
  /** The parts of the path. */
  path: string[];
  query: URLSearchParams;
}

let parsed: { hash: string; route: Route } = { hash: "\0", route: { path: [], query: new URLSearchParams() } };

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?", 2);
  return { path: path.split("/").filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(query) };
}

function current(): Route {
  const { hash } = window.location;
  if (parsed.hash !== hash) parsed = { hash, route: parse(hash) };
  return parsed.route;
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
}

export function useRoute(): Route {
  return useSyncExternalStore(subscribe, current);
}

/** The address of a page. */
export function href(path: string[], query?: Record<string, string>): string {
  const search = query ? new URLSearchParams(query).toString() : "";
  return `#/${path.map(encodeURIComponent).join("/")}${search ? `?${search}` : ""}`;
}

export function navigate(to: string): void {
  window.location.hash = to.replace(/^#/, "");
}

/** Changes values of the query; what is empty is removed. The way back does not lead through each change. */
export function setQuery(changes: Record<string, string | null>): void {
  const { path, query } = current();
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") next.delete(name);
    else next.set(name, value);
  }
  window.history.replaceState(null, "", href(path, Object.fromEntries(next)));
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

/** A value of the query, and how to change it. */
export function useQuery(name: string, usual = ""): [string, (value: string) => void] {
  const { query } = useRoute();
  const set = useCallback((value: string) => setQuery({ [name]: value === usual ? null : value }), [name, usual]);
  return [query.get(name) ?? usual, set];
}
