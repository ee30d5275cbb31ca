/** What the job was started with, and what the cluster sets. */

import { useMemo } from "react";
import { usePolled } from "../../api/poll";
import type { Accumulator, Job, JobConfig, KeyValue } from "../../api/types";
import { Card, Empty, Facts, Failure, Loading } from "../../parts/basic";
import { Options } from "../../parts/Options";
import { type Column, Table } from "../../parts/Table";

const ACCUMULATORS: Column<Accumulator>[] = [
  { id: "name", title: "Name", order: (one) => one.name, cell: (one) => one.name },
  { id: "type", title: "Kind", cell: (one) => one.type },
  { id: "value", title: "Value", numeric: true, cell: (one) => one.value },
];

export function ConfigurationTab({ job }: { job: Job }) {
  const { data, error } = usePolled<JobConfig>(`jobs/${job.jid}/config`, 10);
  const cluster = usePolled<KeyValue[]>(`jobs/${job.jid}/jobmanager/config`, 10).data;
  const accumulators = usePolled<{ "user-task-accumulators": Accumulator[] }>(`jobs/${job.jid}/accumulators`, 2).data;
  const own = useMemo(() => {
    const options = data?.["execution-config"]["user-config"] ?? {};
    const ofJob = Object.entries(options).map(([key, value]) => ({ key, value, origin: "the submission" }));
    const rest = cluster?.filter(({ key }) => options[key] === undefined) ?? [];
    return [...ofJob, ...rest.map((entry) => ({ ...entry, origin: entry.origin ?? "the JobManager" }))];
  }, [data, cluster]);
  if (!data) return error ? <Failure error={error} what="The configuration" /> : <Loading />;
  const execution = data["execution-config"];
  const found = accumulators?.["user-task-accumulators"] ?? [];
  return (
    <>
      <Card title="Execution">
        <Facts
          facts={[
            ["Restart strategy", execution["restart-strategy"] || "–"],
            ["Default parallelism", execution["job-parallelism"] > 0 ? execution["job-parallelism"] : "of each operator"],
            ["Kind", job["job-type"].toLowerCase()],
          ]}
        />
      </Card>
      <Card title="Options">
        <Options options={own} />
        <p className="faint">Options that nobody has set have the values of the reference of options.</p>
      </Card>
      <Card title="Accumulators">
        {found.length === 0 ? (
          <Empty>The job has none.</Empty>
        ) : (
          <Table name="accumulators" rows={found} columns={ACCUMULATORS} rowKey={(one) => one.name} />
        )}
      </Card>
    </>
  );
}
