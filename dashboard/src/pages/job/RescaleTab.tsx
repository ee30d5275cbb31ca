/** Another parallelism for a running job, with the slots that it will need. */

import { useState } from "react";
import { send } from "../../api/client";
import { refreshAll, usePolled } from "../../api/poll";
import type { Job, Overview, Requirements } from "../../api/types";
import { useRole } from "../../app/cluster";
import { shownName } from "../../graph/model";
import { Card, Failure, Loading } from "../../parts/basic";
import { Dialog } from "../../parts/Dialog";
import { report } from "../../parts/messages";

/** Slots that a job needs: of each slot sharing group the greatest parallelism. */
export function slotsNeeded(vertices: readonly { slotSharingGroupId: string; parallelism: number }[]): number {
  const groups = new Map<string, number>();
  for (const { slotSharingGroupId: group, parallelism } of vertices) groups.set(group, Math.max(groups.get(group) ?? 0, parallelism));
  return [...groups.values()].reduce((sum, slots) => sum + slots, 0);
}

export function RescaleTab({ job }: { job: Job }) {
  const path = `jobs/${job.jid}/resource-requirements`;
  const { data, error } = usePolled<Requirements>(path, 5);
  const overview = usePolled<Overview>("overview").data;
  const [changed, setChanged] = useState<Record<string, number>>({});
  const [asked, setAsked] = useState(false);
  const may = useRole("operator");
  if (!data) return error ? <Failure error={error} what="The requirements of the job" /> : <Loading />;
  const wanted = (id: string) => changed[id] ?? data[id]?.parallelism.upperBound ?? 1;
  const needed = slotsNeeded(job.vertices.map((vertex) => ({ ...vertex, parallelism: wanted(vertex.id) })));
  const held = slotsNeeded(job.vertices);
  const free = overview?.["slots-available"] ?? 0;
  const missing = needed - held - free;
  const different = job.vertices.filter(({ id, parallelism }) => wanted(id) !== parallelism);
  const apply = async () => {
    const body: Requirements = {};
    for (const { id } of job.vertices) {
      const lower = data[id]?.parallelism.lowerBound ?? 1;
      body[id] = { parallelism: { lowerBound: Math.min(lower, wanted(id)), upperBound: wanted(id) } };
    }
    await send("PUT", path, body);
    setChanged({});
    void report("Rescaling…", Promise.resolve(refreshAll()), () => "The job rescales");
  };
  return (
    <Card title="Parallelism">
      <div className="rescale">
        {job.vertices.map((vertex) => (
          <label key={vertex.id} className="rescale-row">
            <span>{shownName(vertex.name)}</span>
            <span className="faint">now {vertex.parallelism}</span>
            <input
              type="number"
              min={1}
              max={vertex.maxParallelism}
              value={wanted(vertex.id)}
              disabled={!may}
              onChange={(event) =>
                setChanged({ ...changed, [vertex.id]: Math.max(1, Math.min(vertex.maxParallelism, Number(event.target.value) || 1)) })
              }
            />
          </label>
        ))}
      </div>
      <p className={missing > 0 ? "notice notice-warn" : "notice"}>
        Needs {needed} {needed === 1 ? "slot" : "slots"}; the job holds {held} and {free} {free === 1 ? "is" : "are"} free
        {missing > 0 ? `: it will run with fewer until ${missing} more ${missing === 1 ? "is" : "are"} there.` : "."}
      </p>
      {may && (
        <button type="button" className="primary" disabled={different.length === 0} onClick={() => setAsked(true)}>
          Rescale…
        </button>
      )}
      {asked && (
        <Dialog title={`Rescale ${job.name}?`} action="Rescale" onClose={() => setAsked(false)} onConfirm={apply}>
          <p>The job restarts from its last checkpoint with the new parallelism. It processes nothing for that moment.</p>
          <ul>
            {different.map((vertex) => (
              <li key={vertex.id}>
                {shownName(vertex.name)}: {vertex.parallelism} → {wanted(vertex.id)}
              </li>
            ))}
          </ul>
        </Dialog>
      )}
    </Card>
  );
}
