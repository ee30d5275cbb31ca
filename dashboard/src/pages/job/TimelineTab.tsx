/** When vertices and subtasks were in which state, in all their attempts. */

import { Fragment, useState } from "react";
import { usePolled } from "../../api/poll";
import type { Attempt, Job, SubtaskTimes, Vertex, VertexDetail } from "../../api/types";
import { useQuery } from "../../app/router";
import { duration } from "../../format/units";
import { shownName } from "../../graph/model";
import { Card, Loading, Time } from "../../parts/basic";
import { EARLIER, useEarlier } from "./attempts";

/** The states that a task may be in before it ends, in their order. */
const LIVE = ["CREATED", "SCHEDULED", "DEPLOYING", "INITIALIZING", "RUNNING", "CANCELING"] as const;
const ENDS = ["FINISHED", "CANCELED", "FAILED"] as const;

/** What is drawn and does occur: tasks are not scheduled for a time of their own. */
const LEGEND = ["CREATED", "DEPLOYING", "INITIALIZING", "RUNNING", "CANCELING", ...ENDS] as const;

export interface Span {
  state: string;
  from: number;
  to: number;
}

/** The states of a subtask one after another; `timestamps` is 0 for those that it was not in. */
export function spansOf(timestamps: Record<string, number>, now: number): Span[] {
  const entered = LIVE.map((state) => ({ state: state, at: timestamps[state] ?? 0 })).filter(({ at }) => at > 0);
  const ends = ENDS.map((state) => timestamps[state] ?? 0).filter((at) => at > 0);
  const end = ends.length > 0 ? Math.min(...ends) : now;
  const spans: Span[] = entered.map(({ state, at }, place) => ({ state, from: at, to: Math.max(at, entered[place + 1]?.at ?? end) }));
  // An end is a moment, drawn where the last state ends.
  const failed = timestamps.FAILED ?? 0;
  return failed > 0 ? [...spans, { state: "FAILED", from: failed, to: failed }] : spans;
}

/** The states of an attempt that has ended, from how long it was in each; -1 for those that it was not in. */
export function spansOfAttempt(attempt: Pick<Attempt, "status" | "start-time" | "end-time" | "status-duration">): Span[] {
  const durations = LIVE.map((state) => ({ state, ms: attempt["status-duration"][state] ?? -1 })).filter(({ ms }) => ms >= 0);
  const waited = durations.filter(({ state }) => state === "CREATED" || state === "SCHEDULED").reduce((sum, { ms }) => sum + ms, 0);
  if (attempt["start-time"] <= 0) return [];
  let at = attempt["start-time"] - waited;
  const spans: Span[] = durations.map(({ state, ms }) => ({ state, from: at, to: (at += ms) }));
  const end = attempt["end-time"];
  // What is not said to have passed until its end, it took to end after it was told to.
  if (attempt.status === "CANCELED" && end > at) spans.push({ state: "CANCELING", from: at, to: end });
  return attempt.status === "FAILED" && end > 0 ? [...spans, { state: "FAILED", from: end, to: end }] : spans;
}

/** The attempts of a subtask one after another. An attempt is told to be created with its job: it waits from the end of the one before. */
export function laneOf(attempts: readonly (readonly Span[])[]): Span[] {
  let before = 0;
  return attempts.flatMap((spans) => {
    const own = spans
      .filter(({ from, to }) => to > before || from > before)
      .map((span) => ({ ...span, from: Math.max(span.from, before) }));
    before = Math.max(before, ...own.map(({ to }) => to));
    return own;
  });
}

/** What failed or was canceled ran until then. */
function ended({ state, from, to }: Span): Span[] {
  if (state !== "FAILED" && state !== "CANCELED") return [{ state, from, to }];
  return [
    { state: "RUNNING", from, to },
    { state, from: to, to },
  ];
}

/** The attempts of a vertex: each of those that were runs, and has a mark at its end that tells how it ended. */
export function spansOfVertex(
  vertex: Pick<Vertex, "status" | "start-time" | "end-time">,
  earlier: readonly Attempt[],
  now: number,
): Span[] {
  const attempts = new Map<number, Span>();
  for (const { attempt, status, "start-time": from, "end-time": to } of earlier) {
    if (from <= 0) continue;
    const known = attempts.get(attempt);
    const end = Math.max(from, to);
    if (!known) attempts.set(attempt, { state: status, from, to: end });
    else
      attempts.set(attempt, {
        state: known.state === "FAILED" ? known.state : status,
        from: Math.min(known.from, from),
        to: Math.max(known.to, end),
      });
  }
  const spans = [...attempts].sort(([one], [other]) => one - other).flatMap(([, span]) => ended(span));
  const from = vertex["start-time"];
  if (from > 0) spans.push(...ended({ state: vertex.status, from, to: vertex["end-time"] > 0 ? vertex["end-time"] : now }));
  return spans;
}

/** Up to so many vertices tell their earlier attempts without being opened: each is asked of its own. */
const FEW = 30;

export function TimelineTab({ job }: { job: Job }) {
  const [open, setOpen] = useQuery("open");
  const opened = new Set(open.split(",").filter(Boolean));
  const start = job["start-time"];
  const end = Math.max(start + 1, job["end-time"] > 0 ? job["end-time"] : job.now);
  const toggle = (id: string) => {
    const next = new Set(opened);
    if (!next.delete(id)) next.add(id);
    setOpen([...next].join(","));
  };
  return (
    <Card title="Timeline">
      <div className="gantt">
        {job.vertices.map((vertex) => (
          <VertexTimes
            key={vertex.id}
            job={job.jid}
            vertex={vertex}
            start={start}
            end={end}
            few={job.vertices.length <= FEW}
            open={opened.has(vertex.id)}
            toggle={toggle}
          />
        ))}
        <div className="gantt-row">
          <span />
          <p className="failure-ends">
            <Time at={start} /> <Time at={end} />
          </p>
        </div>
      </div>
      <p className="legend" aria-hidden="true">
        {LEGEND.map((state) => (
          <Fragment key={state}>
            <span className="nowrap">
              <span className={`swatch span-${state.toLowerCase()}`} /> {state.toLowerCase()}
            </span>{" "}
          </Fragment>
        ))}
      </p>
      <p className="faint">Of each subtask the last {EARLIER + 1} attempts; a mark at the end says that one failed or was canceled.</p>
    </Card>
  );
}

interface Props {
  job: string;
  vertex: Vertex;
  start: number;
  end: number;
  few: boolean;
  open: boolean;
  toggle: (id: string) => void;
}

/** As many subtasks are shown at first. */
const SHOWN = 50;

function VertexTimes({ job, vertex, start, end, few, open, toggle }: Props) {
  const path = `jobs/${job}/vertices/${vertex.id}`;
  const [shown, setShown] = useState(SHOWN);
  const { data } = usePolled<SubtaskTimes>(open ? `${path}/subtasktimes` : null);
  const detail = usePolled<VertexDetail>(open || few ? path : null, 2).data;
  // Closed, the first subtask stands for all.
  const newest = detail?.subtasks.slice(0, open ? shown : 1) ?? [];
  const earlier = useEarlier(path, newest);
  const spans = spansOfVertex(vertex, [...earlier.values()].flat(), end);
  return (
    <>
      <div className="gantt-row">
        <button type="button" className="quiet gantt-name" aria-expanded={open} onClick={() => toggle(vertex.id)} title={vertex.name}>
          {open ? "▾" : "▸"} {shownName(vertex.name)}
        </button>
        <Line start={start} end={end} spans={spans} />
      </div>
      {open && !data && <Loading />}
      {open &&
        data?.subtasks.slice(0, shown).map((subtask) => (
          <div className="gantt-row gantt-sub" key={subtask.subtask}>
            <span className="gantt-name">
              {subtask.subtask} <span className="faint">{subtask.endpoint}</span>
            </span>
            <Line
              start={start}
              end={end}
              spans={laneOf([...(earlier.get(subtask.subtask) ?? []).map(spansOfAttempt), spansOf(subtask.timestamps, end)])}
            />
          </div>
        ))}
      {open && data && data.subtasks.length > shown && (
        <button type="button" className="quiet" onClick={() => setShown(shown + SHOWN)}>
          Show more subtasks ({data.subtasks.length - shown} left)
        </button>
      )}
    </>
  );
}

function Line({ start, end, spans }: { start: number; end: number; spans: readonly Span[] }) {
  const share = (ms: number) => Math.min(100, Math.max(0, (ms / (end - start)) * 100));
  const words = spans
    .map(({ state, from, to }) => (to > from ? `${state.toLowerCase()} ${duration(to - from)}` : state.toLowerCase()))
    .join(", ");
  return (
    <span className="gantt-line" role="img" aria-label={words || "has not begun"} title={words}>
      {spans.map(({ state, from, to }) => (
        <span
          key={`${state} ${from}`}
          className={`gantt-span span-${state.toLowerCase()} ${to > from ? "" : "gantt-end"}`}
          style={{ left: `${share(from - start)}%`, width: to > from ? `max(2px, ${share(to - from)}%)` : undefined }}
        />
      ))}
    </span>
  );
}
