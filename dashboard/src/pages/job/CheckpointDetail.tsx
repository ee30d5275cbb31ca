/** One checkpoint: its vertices, and the phases of each subtask as a timeline. */

import { usePolled } from "../../api/poll";
import type { Checkpoint, CheckpointSubtasks, Job } from "../../api/types";
import { bytes, duration } from "../../format/units";
import { Copyable, Empty, Facts, Failure, Loading, Time } from "../../parts/basic";

export function CheckpointDetail({ job, checkpoint }: { job: Job; checkpoint: Checkpoint }) {
  const { data, error } = usePolled<Checkpoint>(`jobs/${job.jid}/checkpoints/details/${checkpoint.id}`);
  const detail = data ?? checkpoint;
  const vertices = job.vertices.filter(({ id }) => detail.tasks[id]);
  return (
    <div className="detail">
      <Failure error={error} what="The checkpoint" />
      {detail.failure_message && (
        <p className="notice notice-bad">
          Failed <Time at={detail.failure_timestamp} />: {detail.failure_message}
        </p>
      )}
      <Facts
        facts={[
          ["Kind", detail.checkpoint_type.toLowerCase().replaceAll("_", " ")],
          ["Folder", detail.external_path ? <Copyable key="path" text={detail.external_path} /> : "–"],
          ["Last acknowledgement", <Time key="ack" at={detail.latest_ack_timestamp} />],
        ]}
      />
      {data && vertices.length === 0 && <Empty>What its subtasks did is not recorded.</Empty>}
      {vertices.map((vertex) => (
        <Phases key={vertex.id} job={job.jid} checkpoint={checkpoint.id} vertex={vertex.id} name={vertex.name} longest={longest(detail)} />
      ))}
      {vertices.length > 0 && (
        <p className="legend" aria-hidden="true">
          <span className="swatch phase-start" /> until the barrier came <span className="swatch phase-alignment" /> alignment{" "}
          <span className="swatch phase-sync" /> synchronous part <span className="swatch phase-async" /> asynchronous part
        </p>
      )}
    </div>
  );
}

function longest(checkpoint: Checkpoint): number {
  return Math.max(1, checkpoint.end_to_end_duration, ...Object.values(checkpoint.tasks).map((task) => task.end_to_end_duration));
}

interface PhasesProps {
  job: string;
  checkpoint: number;
  vertex: string;
  name: string;
  longest: number;
}

function Phases({ job, checkpoint, vertex, name, longest }: PhasesProps) {
  const { data, error } = usePolled<CheckpointSubtasks>(`jobs/${job}/checkpoints/details/${checkpoint}/subtasks/${vertex}`, 5);
  if (!data) return error ? <Failure error={error} what={name} /> : <Loading />;
  return (
    <section className="phases" aria-label={`phases of ${name}`}>
      <h3>{name}</h3>
      {data.subtasks.map((subtask) => {
        if (subtask.status !== "completed") {
          return (
            <div className="phase-row" key={subtask.index}>
              <span className="phase-name">{subtask.index}</span>
              <span className="faint">has not acknowledged</span>
            </div>
          );
        }
        const parts = [
          ["start", subtask.start_delay, "until the barrier came"],
          ["alignment", subtask.alignment.duration, "alignment"],
          ["sync", subtask.checkpoint.sync, "synchronous part"],
          ["async", subtask.checkpoint.async, "asynchronous part"],
        ] as const;
        const words = parts.map(([, ms, what]) => `${what} ${duration(ms)}`).join(", ");
        return (
          <div className="phase-row" key={subtask.index} title={words}>
            <span className="phase-name">{subtask.index}</span>
            <span className="phase-bar" role="img" aria-label={words}>
              {parts.map(([kind, ms]) => (
                <span key={kind} className={`phase-${kind}`} style={{ width: `${(ms / longest) * 100}%` }} />
              ))}
            </span>
            <span className="phase-text">
              {duration(subtask.end_to_end_duration)} · {bytes(subtask.checkpointed_size)}
            </span>
          </div>
        );
      })}
    </section>
  );
}
