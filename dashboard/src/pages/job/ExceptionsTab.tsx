/** What broke: failures in time, the root cause first, with where it happened. */

import { useState } from "react";
import { usePolled } from "../../api/poll";
import type { Exception, Exceptions, GraphFlow, Job } from "../../api/types";
import { href } from "../../app/router";
import { Ago, Card, Empty, Failure, Loading, Sentence, Time } from "../../parts/basic";

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
          <FailureTimeline job={job} entries={entries} restarts={flow?.restarts ?? 0} />
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

/** Failures as marks on a line from the job's start to its end, or to now. */
function FailureTimeline({ job, entries, restarts }: { job: Job; entries: readonly Exception[]; restarts: number }) {
  const start = job["start-time"];
  const end = job["end-time"] > 0 ? job["end-time"] : job.now;
  const span = Math.max(1, end - start);
  return (
    <Card
      title={`${entries.length} ${entries.length === 1 ? "failure" : "failures"}, ${restarts} ${restarts === 1 ? "restart" : "restarts"}`}
    >
      <div
        className="failure-line"
        role="img"
        aria-label={`${entries.length} failures between start and ${job["end-time"] > 0 ? "end" : "now"}`}
      >
        {entries.map((entry) => (
          <span
            key={`${entry.timestamp}-${entry.taskName}`}
            className="failure-mark"
            style={{ left: `${Math.min(100, Math.max(0, ((entry.timestamp - start) / span) * 100))}%` }}
            title={entry.exceptionName}
          />
        ))}
      </div>
      <p className="failure-ends">
        <Time at={start} /> <Time at={end} />
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
            on <a href={href(["task-managers", entry.taskManagerId, "log"])}>{entry.taskManagerId}</a>
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
