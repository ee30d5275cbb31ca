/** Small pieces that every page uses. */

import { type ReactNode, useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { CallError } from "../api/client";
import { now as serverNow } from "../api/clock";
import { Store, useStore } from "../api/store";
import { zone } from "../app/settings";
import { ago, count, duration, NONE, percent, time } from "../format/units";

/** A state in its colour. The word is there too: colour alone tells nobody who cannot see it. */
export function State({ state }: { state: string }) {
  return <span className={`state state-${tone(state)}`}>{state.toLowerCase().replaceAll("_", " ")}</span>;
}

/** How good a state is. */
export function tone(state: string): "good" | "bad" | "warn" | "done" | "busy" | "none" {
  switch (state.toUpperCase()) {
    case "RUNNING":
      return "good";
    case "FINISHED":
    case "COMPLETED":
      return "done";
    case "FAILED":
    case "FAILING":
      return "bad";
    case "RESTARTING":
    case "CANCELLING":
    case "CANCELING":
      return "warn";
    case "CREATED":
    case "SCHEDULED":
    case "DEPLOYING":
    case "INITIALIZING":
    case "IN_PROGRESS":
      return "busy";
    default:
      return "none";
  }
}

/** How many tasks are in each state that one is in. */
export function Tasks({ tasks }: { tasks: Record<string, number> }) {
  const there = Object.entries(tasks).filter(([state, number]) => number > 0 && state.toLowerCase() !== "total");
  if (there.length === 0) return <span className="faint">{NONE}</span>;
  return (
    <span className="tasks">
      {there.map(([state, number]) => (
        <span key={state} className={`count state-${tone(state)}`} title={`${number} ${state.toLowerCase()}`}>
          {count(number)} <span className="count-word">{state.toLowerCase()}</span>
        </span>
      ))}
    </span>
  );
}

/** A point in time in the reader's zone; the other one is shown on hover. */
export function Time({ at }: { at: number | null | undefined }) {
  const utc = useStore(zone) === "utc";
  const text = time(at, utc);
  if (text === NONE) return <span className="faint">{NONE}</span>;
  return (
    <time dateTime={new Date(at ?? 0).toISOString()} title={`${time(at, !utc)} ${utc ? "local time" : "UTC"}`} className="nowrap">
      {text}
      {utc && <span className="faint"> UTC</span>}
    </time>
  );
}

/** How long ago something was. */
export function Ago({ at }: { at: number | null | undefined }) {
  const utc = useStore(zone) === "utc";
  const now = useNow();
  return (
    <span title={time(at, utc)} className="nowrap">
      {ago(at, now)}
    </span>
  );
}

const present = new Store(serverNow());
let watching = 0;
let clockTimer: ReturnType<typeof setInterval> | undefined;

function watchClock(listener: () => void): () => void {
  const stop = present.subscribe(listener);
  watching += 1;
  if (watching === 1) {
    present.set(serverNow());
    clockTimer = setInterval(() => !document.hidden && present.set(serverNow()), 1000);
  }
  return () => {
    stop();
    watching -= 1;
    if (watching === 0) clearInterval(clockTimer);
  };
}

/** The present by the server's clock, once a second: one clock for all that show it. */
export function useNow(): number {
  return useSyncExternalStore(watchClock, present.get);
}

/** The duration of something that may still go on. */
export function Since({ start, end, fallback }: { start: number; end: number; fallback?: number }) {
  const now = useNow();
  if (start <= 0) return <span className="faint">{NONE}</span>;
  return <span className="nowrap">{duration(end > 0 ? (fallback ?? end - start) : Math.max(0, now - start))}</span>;
}

export function Card({
  title,
  actions,
  children,
  className = "",
}: {
  title?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
}) {
  return (
    <section className={`card ${className}`}>
      {(title || actions) && (
        <header className="card-head">
          {title && <h2>{title}</h2>}
          {actions && <div className="card-actions">{actions}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

/** Name and value. */
export function Facts({ facts }: { facts: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A share of the whole as a bar. */
export function Meter({
  label,
  share,
  kind = "busy",
  text = percent(share),
}: {
  label: string;
  share: number | null | undefined;
  kind?: string;
  /** What is written beside it. */
  text?: string;
}) {
  const value = Math.min(1, Math.max(0, share ?? 0));
  return (
    <span className="meter-line">
      <span className="meter" role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(value * 100)}>
        <span className={`meter-fill fill-${kind}`} style={{ width: `${value * 100}%` }} />
      </span>
      <span className="meter-text">{text}</span>
    </span>
  );
}

/** Text with a button that copies it. */
export function Copyable({ text, short }: { text: string; short?: string }) {
  const [copied, setCopied] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = () => {
    void navigator.clipboard?.writeText(text).then(() => {
      setCopied(true);
      clearTimeout(timer.current);
      timer.current = setTimeout(() => setCopied(false), 1500);
    });
  };
  return (
    <span className="copyable">
      <code title={text}>{short ?? text}</code>
      <button type="button" className="quiet small" onClick={copy} aria-label={`copy ${text}`}>
        {copied ? "copied" : "copy"}
      </button>
    </span>
  );
}

/** Why something cannot be shown. What was known before stays on the page. */
export function Failure({ error, what }: { error: CallError | undefined; what: string }) {
  if (!error || error.status === 0) return null;
  return (
    <p className="notice notice-bad" role="alert">
      {what} cannot be shown: <Sentence text={error.message} />
    </p>
  );
}

/** Text of the server, where values stand in backticks. */
export function Sentence({ text }: { text: string }) {
  const parts = text.split("`");
  return <>{parts.map((part, at) => (at % 2 === 1 ? <code key={at}>{part}</code> : part))}</>;
}

export function Loading({ what = "Loading" }: { what?: string }) {
  return <p className="faint loading">{what}…</p>;
}

export function Empty({ children }: { children: ReactNode }) {
  return <p className="empty">{typeof children === "string" ? <Sentence text={children} /> : children}</p>;
}
