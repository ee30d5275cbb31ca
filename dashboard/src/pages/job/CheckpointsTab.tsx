/** Checkpoints: the last ones as bars, size and duration over time, what each subtask did, settings. */

import { useMemo } from "react";
import { usePolled } from "../../api/poll";
import type { Checkpoint, CheckpointConfig, Checkpoints, Job, Statistics } from "../../api/types";
import { useQuery } from "../../app/router";
import { bytes, count, duration } from "../../format/units";
import { Ago, Card, Empty, Facts, Failure, Loading, State, Time } from "../../parts/basic";
import { later } from "../../parts/later";
import { type Column, Table } from "../../parts/Table";
import { CheckpointDetail } from "./CheckpointDetail";

const Chart = later(() => import("../../parts/Chart").then((part) => part.Chart));

/** As many are shown as bars. */
const BARS = 60;

export function CheckpointsTab({ job }: { job: Job }) {
  const base = `jobs/${job.jid}/checkpoints`;
  const { data, error } = usePolled<Checkpoints>(`${base}?limit=${BARS}`);
  const config = usePolled<CheckpointConfig>(`${base}/config`, 10).data;
  if (error?.status === 404)
    return <Empty>This job takes no checkpoints. Set `execution.checkpointing.interval` to let it take some.</Empty>;
  if (!data) return error ? <Failure error={error} what="The checkpoints" /> : <Loading />;
  return (
    <>
      <Failure error={error} what="The checkpoints" />
      <Latest checkpoints={data} />
      <Strip history={data.history} />
      <History job={job} history={data.history} />
      <Summary checkpoints={data} />
      {config && <Settings config={config} />}
    </>
  );
}

function Latest({ checkpoints }: { checkpoints: Checkpoints }) {
  const { counts, latest } = checkpoints;
  return (
    <Facts
      facts={[
        ["Completed", count(counts.completed)],
        ["Failed", counts.failed > 0 ? <span className="bad">{count(counts.failed)}</span> : "0"],
        ["Under way", count(counts.in_progress)],
        ["Restores", count(counts.restored)],
        [
          "Last completed",
          latest.completed ? (
            <span title={latest.completed.external_path}>
              {latest.completed.id}, <Ago at={latest.completed.latest_ack_timestamp} />
            </span>
          ) : (
            "none yet"
          ),
        ],
        ["Last savepoint", latest.savepoint ? <code key="path">{latest.savepoint.external_path}</code> : "none"],
        [
          "Last restore",
          latest.restored ? (
            <span title={latest.restored.external_path ?? undefined}>
              from {latest.restored.id}, <Ago at={latest.restored.restore_timestamp} />
            </span>
          ) : (
            "none"
          ),
        ],
      ]}
    />
  );
}

/** The last checkpoints, oldest first: the higher, the longer it took. */
function Strip({ history }: { history: readonly Checkpoint[] }) {
  const [, open] = useQuery("checkpoint");
  const shown = useMemo(() => [...history].slice(0, BARS).reverse(), [history]);
  const longest = Math.max(1, ...shown.map((one) => one.end_to_end_duration));
  const ended = useMemo(() => shown.filter((one) => one.status === "COMPLETED"), [shown]);
  const times = useMemo(() => ended.map((one) => one.trigger_timestamp), [ended]);
  const sizes = useMemo(() => [ended.map((one) => one.checkpointed_size)], [ended]);
  const durations = useMemo(() => [ended.map((one) => one.end_to_end_duration)], [ended]);
  return (
    <Card title={`The last ${shown.length}`}>
      {shown.length === 0 && <Empty>None yet.</Empty>}
      <div className="strip">
        {shown.map((one) => (
          <button
            type="button"
            key={one.id}
            className={`strip-bar strip-${one.status.toLowerCase()} ${one.is_savepoint ? "strip-savepoint" : ""}`}
            style={{ height: `${Math.max(12, (one.end_to_end_duration / longest) * 100)}%` }}
            title={`${one.is_savepoint ? "savepoint" : "checkpoint"} ${one.id}: ${one.status.toLowerCase().replace("_", " ")}, ${duration(one.end_to_end_duration)}, ${bytes(one.checkpointed_size)}`}
            aria-label={`${one.is_savepoint ? "savepoint" : "checkpoint"} ${one.id}, ${one.status.toLowerCase().replace("_", " ")}`}
            onClick={() => open(String(one.id))}
          />
        ))}
      </div>
      <p className="legend" aria-hidden="true">
        <span className="swatch swatch-completed" /> completed <span className="swatch swatch-savepoint" /> savepoint{" "}
        <span className="swatch swatch-in_progress" /> under way <span className="swatch swatch-failed" /> failed; the higher, the longer it
        took
      </p>
      {ended.length > 1 && (
        <div className="charts">
          <figure>
            <figcaption>Duration</figcaption>
            <Chart
              label="duration of checkpoints over time"
              times={times}
              values={durations}
              series={[{ name: "duration" }]}
              format={duration}
            />
          </figure>
          <figure>
            <figcaption>Size</figcaption>
            <Chart
              label="size of checkpoints over time"
              times={times}
              values={sizes}
              series={[{ name: "size", color: "--series-2" }]}
              format={bytes}
              binary
            />
          </figure>
        </div>
      )}
    </Card>
  );
}

function History({ job, history }: { job: Job; history: readonly Checkpoint[] }) {
  const [opened, open] = useQuery("checkpoint");
  const columns: Column<Checkpoint>[] = [
    {
      id: "id",
      title: "Number",
      order: (one) => one.id,
      cell: (one) => (
        <button
          type="button"
          className="quiet strong"
          aria-expanded={opened === String(one.id)}
          onClick={() => open(opened === String(one.id) ? "" : String(one.id))}
        >
          {opened === String(one.id) ? "▾" : "▸"} {one.id}
        </button>
      ),
    },
    {
      id: "status",
      title: "Status",
      order: (one) => one.status,
      cell: (one) => (
        <>
          <State state={one.status} />
          {one.is_savepoint && <span className="tag">savepoint</span>}
        </>
      ),
    },
    {
      id: "acknowledged",
      title: "Acknowledged",
      numeric: true,
      order: (one) => one.num_acknowledged_subtasks,
      cell: (one) => `${one.num_acknowledged_subtasks} of ${one.num_subtasks}`,
    },
    { id: "triggered", title: "Triggered", order: (one) => one.trigger_timestamp, cell: (one) => <Time at={one.trigger_timestamp} /> },
    {
      id: "duration",
      title: "Duration",
      numeric: true,
      order: (one) => one.end_to_end_duration,
      cell: (one) => duration(one.end_to_end_duration),
    },
    {
      id: "size",
      title: "Size",
      numeric: true,
      order: (one) => one.checkpointed_size,
      cell: (one) =>
        one.state_size === one.checkpointed_size
          ? bytes(one.checkpointed_size)
          : `${bytes(one.checkpointed_size)} of ${bytes(one.state_size)}`,
    },
  ];
  return (
    <Card title="History">
      <Table
        name="checkpoints"
        rows={history}
        columns={columns}
        rowKey={(one) => String(one.id)}
        sort="-id"
        limit={20}
        empty="None yet."
        below={(one) => (opened === String(one.id) ? <CheckpointDetail job={job} checkpoint={one} /> : null)}
      />
    </Card>
  );
}

const PERCENTILES = ["min", "avg", "p50", "p90", "p95", "p99", "p999", "max"] as const;

function Summary({ checkpoints }: { checkpoints: Checkpoints }) {
  const { summary } = checkpoints;
  if (checkpoints.counts.completed === 0) return null;
  const rows: { name: string; of: Statistics; format: (value: number) => string }[] = [
    { name: "Duration", of: summary.end_to_end_duration, format: duration },
    { name: "Written", of: summary.checkpointed_size, format: bytes },
    { name: "Whole state", of: summary.state_size, format: bytes },
  ];
  const columns: Column<(typeof rows)[number]>[] = [
    { id: "name", title: "Over completed ones", cell: (row) => row.name },
    ...PERCENTILES.map((name) => ({
      id: name,
      title: name === "p999" ? "p99.9" : name === "avg" ? "average" : name,
      numeric: true,
      cell: (row: (typeof rows)[number]) => row.format(row.of[name]),
    })),
  ];
  return (
    <Card title="Summary">
      <Table name="summary" rows={rows} columns={columns} rowKey={(row) => row.name} />
    </Card>
  );
}

/** Flink's way to say that there is no interval. */
const NEVER = 9e18;

function Settings({ config }: { config: CheckpointConfig }) {
  return (
    <Card title="Settings">
      <Facts
        facts={[
          ["Guarantee", config.mode.replaceAll("_", " ")],
          ["Interval", config.interval >= NEVER ? "only when asked" : duration(config.interval)],
          ["Timeout", duration(config.timeout)],
          ["Least pause", duration(config.min_pause)],
          ["At the same time", config.max_concurrent],
          ["Failures that are tolerated", config.tolerable_failed_checkpoints],
          ["Barriers", config.unaligned_checkpoints ? "unaligned: may overtake records" : "aligned"],
          ["After a cancel", config.externalization.delete_on_cancellation ? "removed" : "kept"],
          ["State backend", config.state_backend],
          ["Storage", <code key="storage">{config.checkpoint_storage}</code>],
        ]}
      />
    </Card>
  );
}
