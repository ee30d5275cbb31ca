/** What the job is run with, and where that was said. */

import { usePolled } from "../../api/poll";
import type { Accumulator, Job, JobConfig, KeyValue } from "../../api/types";
import { href } from "../../app/router";
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
  const options = usePolled<KeyValue[]>(`jobs/${job.jid}/configuration`, 10);
  const accumulators = usePolled<{ "user-task-accumulators": Accumulator[] }>(`jobs/${job.jid}/accumulators`, 2).data;
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
        <Failure error={options.error} what="The options" />
        {!options.data && !options.error && <Loading />}
        {options.data && <Options options={options.data} />}
        <p className="faint">
          The JobManager has <a href={href(["job-manager", "configuration"])}>a configuration of its own</a>.
        </p>
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
