/** What broke: failures in time, the root cause first, with where it happened. */

import { useState } from "react";
import { usePolled } from "../../api/poll";
import type { Exception, Exceptions, GraphFlow, Job, VertexDetail } from "../../api/types";
import { duration } from "../../format/units";
import { Ago, Card, Empty, Failure, Loading, Sentence, Time } from "../../parts/basic";
import { Host } from "../Host";
import { useEarlier } from "./attempts";

/** The causes of a failure, outermost first, each with the source location below it. */
export function causesOf(text: string): { message: string; places: string[] }[] {
  const causes: { message: string; places: string[] }[] = [];
  for (const line of text.split("\n")) {
    const place = /^\s+at (.+)$/.exec(line)?.[1];
    const last = causes.at(-1);
    if (place) last?.places.push(place);
    else if (line.startsWith("Caused by: ") || !last) causes.push({ message: line.replace(/^Caused by: /, ""), places: [] });
    else last.message += `\n${line}`;
  }
  return causes;
}

export function ExceptionsTab({ job }: { job: Job }) {
  const [shown, setShown] = useState(20);
  const { data, error } = usePolled<Exceptions>(`jobs/${job.jid}/exceptions?maxExceptions=${shown}`);
  const flow = usePolled<GraphFlow>(`jobs/${job.jid}/flow`, 2).data;
  if (!data) return error ? <Failure error={error} what="The failures" /> : <Loading />;
  const { entries, truncated } = data.exceptionHistory;
  return (
    <>
      <Failure error={error} what="The failures" />
      {entries.length === 0 ? (
        <Card>
          <Empty>Nothing has failed.</Empty>
        </Card>
      ) : (
        <>
          <FailureTimeline job={job} entries={entries} restarts={flow?.restarts ?? 0} truncated={truncated} />
          {entries.map((entry, at) => (
            <ExceptionCard key={`${entry.timestamp}-${entry.taskName}`} entry={entry} latest={at === 0} />
          ))}
        </>
      )}
      {truncated && (
        <button type="button" className="quiet" onClick={() => setShown(shown + 50)}>
          Show older failures
        </button>
      )}
    </>
  );
}

/** So many failures of a job are kept by the server. */
const KEPT = 16;

/** What is above the failures: how many there were, or that those are the last ones. */
export function titleOf(failures: number, restarts: number, truncated: boolean): string {
  const cut = truncated || (failures >= KEPT && restarts >= failures);
  const many = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`;
  return `${cut ? "last " : ""}${many(failures, "failure")}, ${many(restarts, "restart")}`;
}

/** When the job began again, ms since 1970: its tasks were deployed once more, or the state says so. */
export function restartsOf(deployed: readonly number[], timestamps: Record<string, number>): number[] {
  const last = Math.max(0, timestamps.RESTARTING ?? 0);
  const [, ...again] = [...new Set(deployed)].filter((at) => at > 0).sort((one, other) => one - other);
  // The last restart is told twice: when it began, and when tasks were deployed for it.
  return last > 0 && !again.some((at) => at >= last) ? [...again, last] : again;
}

/** When a subtask of the vertex that failed last was deployed, as far as that is kept. */
function useDeployed(job: Job, entries: readonly Exception[]): number[] {
  const task = entries.find(({ taskName }) => taskName)?.taskName ?? "";
  const vertex = job.vertices.find(({ name }) => task.startsWith(`${name} (`)) ?? job.vertices[0];
  const path = vertex ? `jobs/${job.jid}/vertices/${vertex.id}` : null;
  const first = usePolled<VertexDetail>(path, 2).data?.subtasks[0];
  const earlier = useEarlier(path, first ? [first] : []);
  if (!first) return [];
  // Where the first ones are not kept, what is known begins with a restart.
  const known = [...(earlier.get(first.subtask) ?? []), first];
  return [...((known[0]?.attempt ?? 0) > 0 ? [1] : []), ...known.map((attempt) => attempt["start-time"])];
}

/** Failures and restarts as marks on a line from the job's start to its end, or to now. */
function FailureTimeline({
  job,
  entries,
  restarts,
  truncated,
}: {
  job: Job;
  entries: readonly Exception[];
  restarts: number;
  truncated: boolean;
}) {
  const again = restartsOf(useDeployed(job, entries), job.timestamps);
  const start = job["start-time"];
  const end = job["end-time"] > 0 ? job["end-time"] : job.now;
  const span = Math.max(1, end - start);
  const left = (at: number) => `${Math.min(100, Math.max(0, ((at - start) / span) * 100))}%`;
  const shown = again.length < restarts ? ` (the last ${again.length})` : "";
  return (
    <Card title={titleOf(entries.length, restarts, truncated)}>
      <div
        className="failure-line"
        role="img"
        aria-label={`${entries.length} failures and ${again.length} restarts between start and ${job["end-time"] > 0 ? "end" : "now"}`}
      >
        {again.map((at) => (
          <span
            key={`restart-${at}`}
            className="failure-mark restart-mark"
            style={{ left: left(at) }}
            title={`restart ${duration(at - start)} after the start`}
          />
        ))}
        {entries.map((entry) => (
          <span
            key={`${entry.timestamp}-${entry.taskName}`}
            className="failure-mark"
            style={{ left: left(entry.timestamp) }}
            title={entry.exceptionName}
          />
        ))}
      </div>
      <p className="failure-ends">
        <Time at={start} /> <Time at={end} />
      </p>
      <p className="legend" aria-hidden="true">
        <span className="swatch swatch-failed" /> failure <span className="swatch restart-swatch" /> restart{shown}
      </p>
    </Card>
  );
}

function ExceptionCard({ entry, latest }: { entry: Exception; latest: boolean }) {
  const others = entry.concurrentExceptions ?? [];
  return (
    <Card className={latest ? "exception exception-latest" : "exception"}>
      <p className="exception-when">
        {latest && <span className="tag tag-bad">latest</span>} <Time at={entry.timestamp} /> (<Ago at={entry.timestamp} />)
      </p>
      <Cause entry={entry} />
      {others.length > 0 && (
        <details>
          <summary>
            {others.length} {others.length === 1 ? "failure" : "failures"} that came with it
          </summary>
          {others.map((other) => (
            <Cause key={`${other.timestamp}-${other.taskName}`} entry={other} />
          ))}
        </details>
      )}
    </Card>
  );
}

function Cause({ entry }: { entry: Exception }) {
  const causes = causesOf(entry.stacktrace);
  const root = causes.at(-1);
  const place = causes.flatMap(({ places }) => places).at(-1);
  return (
    <div className="cause">
      <h3>
        <Sentence text={entry.exceptionName} />
      </h3>
      {root && <pre className="cause-message">{root.message}</pre>}
      <p className="cause-facts">
        {place && (
          <span>
            at <code>{place}</code>
          </span>
        )}
        {entry.taskName && <span>task {entry.taskName}</span>}
        {entry.taskManagerId && (
          <span>
            on <Host id={entry.taskManagerId} />
          </span>
        )}
        {Object.entries(entry.failureLabels).map(([name, value]) => (
          <span key={name} className="tag">
            {name}: {value}
          </span>
        ))}
      </p>
      {causes.length > 1 && (
        <details>
          <summary>The whole chain</summary>
          <pre className="stack">{entry.stacktrace}</pre>
        </details>
      )}
    </div>
  );
}
