/** One checkpoint: its vertices, and the phases of each subtask as a timeline. */

import { useState } from "react";
import { usePolled } from "../../api/poll";
import type { Checkpoint, CheckpointPart, CheckpointSubtasks, Job } from "../../api/types";
import { useQuery } from "../../app/router";
import { bytes, duration } from "../../format/units";
import { shownName } from "../../graph/model";
import { Copyable, Empty, Facts, Failure, Loading, Time } from "../../parts/basic";

export function CheckpointDetail({ job, checkpoint }: { job: Job; checkpoint: Checkpoint }) {
  const { data, error } = usePolled<Checkpoint>(`jobs/${job.jid}/checkpoints/details/${checkpoint.id}`);
  const [opened, open] = useQuery("phases");
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
      {vertices.map(({ id, name }) => {
        // One alone needs not be chosen.
        const isOpen = opened === id || vertices.length === 1;
        return (
          <section key={id} aria-label={`phases of ${name}`}>
            <PartHead name={name} part={detail.tasks[id]} isOpen={isOpen} toggle={() => open(opened === id ? "" : id)} />
            {isOpen && <Phases job={job.jid} checkpoint={checkpoint.id} vertex={id} name={name} longest={longest(detail)} />}
          </section>
        );
      })}
      {vertices.length > 0 && (
        <p className="legend" aria-hidden="true">
          <span className="swatch phase-start" /> until the barrier came <span className="swatch phase-alignment" /> alignment{" "}
          <span className="swatch phase-sync" /> synchronous part <span className="swatch phase-async" /> asynchronous part
        </p>
      )}
    </div>
  );
}

interface PartHeadProps {
  name: string;
  part: CheckpointPart | undefined;
  isOpen: boolean;
  toggle: () => void;
}

/** A vertex in the checkpoint. What its subtasks did is asked for when it is opened. */
function PartHead({ name, part, isOpen, toggle }: PartHeadProps) {
  return (
    <h3 className="part-head">
      <button type="button" className="quiet strong" aria-expanded={isOpen} onClick={toggle}>
        {isOpen ? "▾" : "▸"} {shownName(name)}
      </button>
      {part && (
        <span className="faint">
          {part.num_acknowledged_subtasks} of {part.num_subtasks} acknowledged · {duration(part.end_to_end_duration)} ·{" "}
          {bytes(part.checkpointed_size)}
        </span>
      )}
    </h3>
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

/** As many subtasks are shown at first. */
const ROWS = 200;

function Phases({ job, checkpoint, vertex, name, longest }: PhasesProps) {
  const { data, error } = usePolled<CheckpointSubtasks>(`jobs/${job}/checkpoints/details/${checkpoint}/subtasks/${vertex}`, 5);
  const [shown, setShown] = useState(ROWS);
  if (!data) return error ? <Failure error={error} what={name} /> : <Loading />;
  return (
    <div className="phases" tabIndex={0} role="group" aria-label={`subtasks of ${name}`}>
      {data.subtasks.slice(0, shown).map((subtask) => {
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
      {data.subtasks.length > shown && (
        <button type="button" className="quiet" onClick={() => setShown(shown + ROWS)}>
          Show more subtasks ({data.subtasks.length - shown} left)
        </button>
      )}
    </div>
  );
}
