/** What can be done to a running job. What ends it says so first. */

import { useState } from "react";
import { cancel, checkpoint, savepoint, stop } from "../../api/actions";
import { refreshAll } from "../../api/poll";
import type { Job } from "../../api/types";
import { useFeature, useRole } from "../../app/cluster";
import { Dialog } from "../../parts/Dialog";
import { report } from "../../parts/messages";

type Asked = "savepoint" | "stop" | "cancel" | null;

export function Actions({ job }: { job: Job }) {
  const [asked, setAsked] = useState<Asked>(null);
  const mayChange = useRole("operator");
  const mayCancel = useFeature("web-cancel", "operator");
  if (!mayChange) return null;
  const close = () => setAsked(null);
  // Whoever does not run has no state to keep, and can only be given up.
  const streaming = job["job-type"] !== "BATCH" && job.state === "RUNNING";
  return (
    <div className="actions">
      {streaming && (
        <>
          <button
            type="button"
            onClick={() => void report("Taking a checkpoint…", checkpoint(job.jid).then(refreshAll), () => "The checkpoint is complete")}
          >
            Checkpoint
          </button>
          <button type="button" onClick={() => setAsked("savepoint")}>
            Savepoint…
          </button>
          <button type="button" onClick={() => setAsked("stop")}>
            Stop…
          </button>
        </>
      )}
      {mayCancel && (
        <button type="button" className="danger-quiet" onClick={() => setAsked("cancel")}>
          Cancel…
        </button>
      )}
      {asked === "savepoint" && <Savepoint job={job} onClose={close} />}
      {asked === "stop" && <Stop job={job} onClose={close} />}
      {asked === "cancel" && (
        <Dialog
          title={`Cancel ${job.name}?`}
          action="Cancel the job"
          danger
          onClose={close}
          onConfirm={async () => {
            await cancel(job.jid);
            refreshAll();
          }}
        >
          <p>
            Its tasks end now, without a last checkpoint. What came after the last complete checkpoint will be processed again when the job
            is started from that one; started afresh, its state is lost. To keep everything, choose <b>Stop</b> instead.
          </p>
        </Dialog>
      )}
    </div>
  );
}

function Directory({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return (
    <label>
      Folder
      <input type="text" value={value} placeholder="as configured" onChange={(event) => onChange(event.target.value)} />
      <small>
        Empty: the one that the option <code>execution.checkpointing.savepoint-dir</code> names.
      </small>
    </label>
  );
}

function Savepoint({ job, onClose }: { job: Job; onClose: () => void }) {
  const [directory, setDirectory] = useState("");
  return (
    <Dialog
      title={`Take a savepoint of ${job.name}`}
      action="Take the savepoint"
      onClose={onClose}
      onConfirm={() => void report("Taking a savepoint…", savepoint(job.jid, directory), (path) => `The savepoint is complete: ${path}`)}
    >
      <p>The job goes on. A savepoint stays until you remove it, and a job can be started from it, also with another parallelism.</p>
      <Directory value={directory} onChange={setDirectory} />
    </Dialog>
  );
}

function Stop({ job, onClose }: { job: Job; onClose: () => void }) {
  const [directory, setDirectory] = useState("");
  const [drain, setDrain] = useState(false);
  return (
    <Dialog
      title={`Stop ${job.name} with a savepoint?`}
      action="Stop the job"
      danger
      onClose={onClose}
      onConfirm={() =>
        void report(
          "Stopping with a savepoint…",
          stop(job.jid, directory, drain).finally(refreshAll),
          (path) => `The job has stopped. Its savepoint: ${path}`,
        )
      }
    >
      <p>The job takes a savepoint, commits its results up to there, and ends. Nothing is lost: start it again from the savepoint.</p>
      <Directory value={directory} onChange={setDirectory} />
      <label className="check">
        <input type="checkbox" checked={drain} onChange={(event) => setDrain(event.target.checked)} />
        <span>
          Drain: event time goes to its end, so that all windows and timers fire. Only for a job that will <b>not</b> be started again from
          this savepoint.
        </span>
      </label>
    </Dialog>
  );
}
