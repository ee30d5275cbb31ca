/**
 * Answers that are asked for again and again while someone looks at them. Who watches the same path shares one call. A hidden tab asks
 * nothing; when it is shown again, it asks at once.
 */

import { useCallback, useSyncExternalStore } from "react";
import { CallError, get } from "./client";
import { now } from "./clock";
import { Store } from "./store";

export interface Polled<T> {
  /** The last answer; stays when a later call fails. */
  data: T | undefined;
  /** Why the last call failed. */
  error: CallError | undefined;
  /** When `data` arrived, ms since 1970 by the server's clock. */
  at: number;
}

const NOTHING: Polled<never> = { data: undefined, error: undefined, at: 0 };

/** Answers that nobody watches but may want back when they return to a page. */
const KEPT = 40;

class Entry {
  readonly store = new Store<Polled<unknown>>(NOTHING);
  watchers = 0;
  running: AbortController | null = null;
  /** When it was last asked for, by the browser's clock; never, if that has failed. */
  asked = Number.NEGATIVE_INFINITY;
  /** How many ticks lie between two calls. */
  every = 1;

  constructor(readonly path: string) {}

  async refresh(): Promise<void> {
    if (this.running) return;
    const running = new AbortController();
    this.running = running;
    this.asked = performance.now();
    const { data, at } = this.store.get();
    try {
      const answer = await get<unknown>(this.path, running.signal);
      this.store.set({ data: answer, error: undefined, at: now() });
    } catch (error) {
      if (running.signal.aborted) return;
      this.asked = Number.NEGATIVE_INFINITY;
      const known = error instanceof CallError ? error : new CallError(String(error), 0);
      this.store.set({ data, error: known, at });
    } finally {
      if (this.running === running) this.running = null;
    }
  }

  stop(): void {
    if (!this.running) return;
    this.running.abort();
    this.running = null;
    this.asked = Number.NEGATIVE_INFINITY;
  }
}

const entries = new Map<string, Entry>();

function entryOf(path: string): Entry {
  let entry = entries.get(path);
  if (!entry) {
    entry = new Entry(path);
    entries.set(path, entry);
  }
  return entry;
}

/** What was asked for so short a time ago is not asked for again by whoever begins to watch it, ms. */
const JUST_ASKED = 500;

/** How often is asked, ms. */
export const interval = new Store<number>(3000);

/** Whether asking goes on by itself. */
export const live = new Store<boolean>(true);

let ticks = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
/** When the next tick should be: what a tick takes does not put off those after it. */
let due = 0;

function tick(): void {
  ticks += 1;
  for (const entry of entries.values()) {
    if (entry.watchers > 0 && ticks % entry.every === 0) void entry.refresh();
  }
  schedule(due);
}

function schedule(last = performance.now()): void {
  clearTimeout(timer);
  const now = performance.now();
  due = Math.max(last + interval.get(), now);
  if (!document.hidden && live.get()) timer = setTimeout(tick, due - now);
}

/** Asks for everything that is watched, now. */
export function refreshAll(): void {
  for (const entry of entries.values()) if (entry.watchers > 0) void entry.refresh();
  schedule();
}

/** Asks for an answer that is about to be watched. */
export function prefetch(path: string): Promise<void> {
  return entryOf(path).refresh();
}

/** Asks for one answer that somebody watches, now. */
export function refresh(path: string): void {
  const entry = entries.get(path);
  if (entry && entry.watchers > 0) void entry.refresh();
}

export function startPolling(): void {
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refreshAll()));
  interval.subscribe(() => schedule());
  live.subscribe(() => (live.get() ? refreshAll() : clearTimeout(timer)));
  schedule();
}

function forget(): void {
  const idle = [...entries.values()].filter((entry) => entry.watchers === 0);
  for (const entry of idle.slice(0, Math.max(0, idle.length - KEPT))) entries.delete(entry.path);
}

/** Watches the answer of `path` (`null`: nothing), asked for at every tick, or at every so many. */
export function usePolled<T>(path: string | null, every = 1): Polled<T> {
  const subscribe = useCallback(
    (listener: () => void) => {
      if (path === null) return () => {};
      const entry = entryOf(path);
      entry.every = every;
      entry.watchers += 1;
      const unsubscribe = entry.store.subscribe(listener);
      if (performance.now() - entry.asked > JUST_ASKED) void entry.refresh();
      return () => {
        unsubscribe();
        entry.watchers -= 1;
        if (entry.watchers === 0) {
          entry.stop();
          // The last to be left is the last to be forgotten.
          entries.delete(entry.path);
          entries.set(entry.path, entry);
          forget();
        }
      };
    },
    [path, every],
  );
  const snapshot = () => (path === null ? NOTHING : (entries.get(path)?.store.get() ?? NOTHING));
  return useSyncExternalStore(subscribe, snapshot) as Polled<T>;
}
