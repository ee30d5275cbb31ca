/** Another parallelism for a running job, with the slots that it will need. */

import { useState } from "react";
import { send } from "../../api/client";
import { refreshAll, usePolled } from "../../api/poll";
import type { Job, Overview, Requirements, Vertex } from "../../api/types";
import { useRole } from "../../app/cluster";
import { shownName } from "../../graph/model";
import { Card, Failure, Loading } from "../../parts/basic";
import { Dialog } from "../../parts/Dialog";
import { RescaleProgress } from "./RescaleProgress";
import { slotsNeeded } from "./slots";
import { isWaiting } from "./Waiting";

export function RescaleTab({ job }: { job: Job }) {
  const path = `jobs/${job.jid}/resource-requirements`;
  const { data, error } = usePolled<Requirements>(path, 5);
  const overview = usePolled<Overview>("overview").data;
  const [changed, setChanged] = useState<Record<string, number>>({});
  const [asked, setAsked] = useState(false);
  const may = useRole("operator");
  if (!data) return error ? <Failure error={error} what="The requirements of the job" /> : <Loading />;
  const asking = (vertex: Vertex) => Math.min(data[vertex.id]?.parallelism.upperBound ?? vertex.parallelism, vertex.maxParallelism);
  const wanted = (vertex: Vertex) => changed[vertex.id] ?? asking(vertex);
  const needed = slotsNeeded(job.vertices.map((vertex) => ({ ...vertex, parallelism: wanted(vertex) })));
  const running = !isWaiting(job);
  const held = running ? slotsNeeded(job.vertices) : 0;
  const free = overview?.["slots-available"] ?? 0;
  const missing = needed - held - free;
  // What is asked for already need not be asked for again, though the job may not have it yet.
  const different = job.vertices.filter((vertex) => wanted(vertex) !== asking(vertex));
  const apply = async () => {
    const body: Requirements = {};
    for (const vertex of job.vertices) {
      const lower = data[vertex.id]?.parallelism.lowerBound ?? 1;
      body[vertex.id] = { parallelism: { lowerBound: Math.min(lower, wanted(vertex)), upperBound: wanted(vertex) } };
    }
    await send("PUT", path, body);
    setChanged({});
    refreshAll();
  };
  const askedFor = slotsNeeded(job.vertices.map((vertex) => ({ ...vertex, parallelism: asking(vertex) })));
  const open = job.vertices.some((vertex) => !running || asking(vertex) !== vertex.parallelism);
  return (
    <>
      <Card title="Parallelism">
        <div className="rescale">
          {job.vertices.map((vertex) => (
            <label key={vertex.id} className="rescale-row">
              <span>{shownName(vertex.name)}</span>
              <span className="faint">
                now {running ? vertex.parallelism : "none"}
                {asking(vertex) !== vertex.parallelism && `, asked for ${asking(vertex)}`}
              </span>
              <input
                type="number"
                min={1}
                max={vertex.maxParallelism}
                value={wanted(vertex)}
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
                  {shownName(vertex.name)}: {vertex.parallelism} → {wanted(vertex)}
                </li>
              ))}
            </ul>
          </Dialog>
        )}
      </Card>
      <RescaleProgress job={job} awaited={{ open, needed: askedFor, held, free, running }} />
    </>
  );
}
