import type { ReactNode } from "react";
import { usePolled } from "../api/poll";
import type { Overview } from "../api/types";
import { href } from "../app/router";
import { NONE } from "../format/units";
import { Card, Failure } from "../parts/basic";
import { JobTable } from "./jobList";

function Tile({ title, value, children, to }: { title: string; value: ReactNode; children?: ReactNode; to: string }) {
  return (
    <a className="tile" href={to}>
      <span className="tile-title">{title}</span>
      <span className="tile-value">{value}</span>
      <span className="tile-more">{children}</span>
    </a>
  );
}

/** Slots, TaskManagers, jobs. */
export function OverviewPage() {
  const { data, error } = usePolled<Overview>("overview");
  const total = data?.["slots-total"] ?? 0;
  const used = total - (data?.["slots-available"] ?? 0);
  return (
    <>
      <h1>Overview</h1>
      <Failure error={error} what="The overview" />
      <div className="tiles">
        <Tile title="Task slots in use" value={data ? `${used} of ${total}` : NONE} to={href(["task-managers"])}>
          <span className="slot-bar" aria-hidden="true">
            <span style={{ width: `${total > 0 ? (used / total) * 100 : 0}%` }} />
          </span>
        </Tile>
        <Tile title="TaskManagers" value={data?.taskmanagers ?? NONE} to={href(["task-managers"])}>
          {data?.taskmanagers === 0 ? (
            <span className="bad">
              start one: <code>flott taskmanager</code>
            </span>
          ) : (
            `${total - used} slots free`
          )}
        </Tile>
        <Tile title="Running jobs" value={data?.["jobs-running"] ?? NONE} to={href(["jobs", "running"])} />
        <Tile
          title="Ended jobs"
          value={data ? data["jobs-finished"] + data["jobs-cancelled"] + data["jobs-failed"] : NONE}
          to={href(["jobs", "completed"])}
        >
          {data && (
            <>
              {data["jobs-finished"]} finished · {data["jobs-cancelled"]} canceled ·{" "}
              <span className={data["jobs-failed"] > 0 ? "bad" : ""}>{data["jobs-failed"]} failed</span>
            </>
          )}
        </Tile>
      </div>
      <Card title="Running jobs">
        <JobTable ended={false} limit={20} />
      </Card>
      <Card title="Ended jobs">
        <JobTable ended limit={10} />
      </Card>
    </>
  );
}
