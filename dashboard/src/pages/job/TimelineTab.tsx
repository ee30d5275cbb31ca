/** When vertices and subtasks were in which state. */

import { useState } from "react";
import { usePolled } from "../../api/poll";
import type { Job, SubtaskTimes, Vertex } from "../../api/types";
import { duration } from "../../format/units";
import { shownName } from "../../graph/model";
import { Card, Loading, Time } from "../../parts/basic";

const LIVE = ["CREATED", "SCHEDULED", "DEPLOYING", "INITIALIZING", "RUNNING"] as const;
const ENDS = ["FINISHED", "CANCELED", "FAILED"] as const;

interface Span {
  state: string;
  from: number;
  to: number;
}

/** The states of a subtask one after another; `timestamps` is 0 for those that it was not in. */
export function spansOf(timestamps: Record<string, number>, now: number): Span[] {
  const entered = LIVE.map((state) => ({ state: state, at: timestamps[state] ?? 0 })).filter(({ at }) => at > 0);
  const ends = [...ENDS, "CANCELING"].map((state) => timestamps[state] ?? 0).filter((at) => at > 0);
  const end = ends.length > 0 ? Math.min(...ends) : now;
  return entered.map(({ state, at }, place) => ({ state, from: at, to: Math.max(at, entered[place + 1]?.at ?? end) }));
}

export function TimelineTab({ job }: { job: Job }) {
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const start = job["start-time"];
  const end = Math.max(start + 1, job["end-time"] > 0 ? job["end-time"] : job.now);
  const toggle = (id: string) => {
    const next = new Set(opened);
    if (!next.delete(id)) next.add(id);
    setOpened(next);
  };
  return (
    <Card title="Timeline">
      <div className="gantt">
        {job.vertices.map((vertex) => (
          <VertexTimes key={vertex.id} job={job.jid} vertex={vertex} start={start} end={end} open={opened.has(vertex.id)} toggle={toggle} />
        ))}
        <div className="gantt-row">
          <span />
          <p className="failure-ends">
            <Time at={start} /> <Time at={end} />
          </p>
        </div>
      </div>
      <p className="legend" aria-hidden="true">
        {LIVE.map((state) => (
          <span key={state}>
            <span className={`swatch span-${state.toLowerCase()}`} /> {state.toLowerCase()}{" "}
          </span>
        ))}
      </p>
    </Card>
  );
}

interface Props {
  job: string;
  vertex: Vertex;
  start: number;
  end: number;
  open: boolean;
  toggle: (id: string) => void;
}

function VertexTimes({ job, vertex, start, end, open, toggle }: Props) {
  const { data } = usePolled<SubtaskTimes>(open ? `jobs/${job}/vertices/${vertex.id}/subtasktimes` : null);
  const from = vertex["start-time"];
  const to = vertex["end-time"] > 0 ? vertex["end-time"] : end;
  return (
    <>
      <div className="gantt-row">
        <button type="button" className="quiet gantt-name" aria-expanded={open} onClick={() => toggle(vertex.id)} title={vertex.name}>
          {open ? "▾" : "▸"} {shownName(vertex.name)}
        </button>
        <Line start={start} end={end} spans={from > 0 ? [{ state: vertex.status, from, to }] : []} />
      </div>
      {open && !data && <Loading />}
      {open &&
        data?.subtasks.map((subtask) => (
          <div className="gantt-row gantt-sub" key={subtask.subtask}>
            <span className="gantt-name">
              {subtask.subtask} <span className="faint">{subtask.endpoint}</span>
            </span>
            <Line start={start} end={end} spans={spansOf(subtask.timestamps, end)} />
          </div>
        ))}
    </>
  );
}

function Line({ start, end, spans }: { start: number; end: number; spans: readonly Span[] }) {
  const share = (ms: number) => Math.min(100, Math.max(0, (ms / (end - start)) * 100));
  const words = spans.map(({ state, from, to }) => `${state.toLowerCase()} ${duration(to - from)}`).join(", ");
  return (
    <span className="gantt-line" role="img" aria-label={words || "has not begun"} title={words}>
      {spans.map(({ state, from, to }) => (
        <span
          key={state}
          className={`gantt-span span-${state.toLowerCase()}`}
          style={{ left: `${share(from - start)}%`, width: `max(2px, ${share(to - from)}%)` }}
        />
      ))}
    </span>
  );
}
