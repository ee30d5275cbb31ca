import { useRoute } from "../app/router";
import { Card } from "../parts/basic";
import { JobTable } from "./jobList";

/** All jobs; an address may ask for the running or the ended ones alone. */
export function JobsPage() {
  const { path } = useRoute();
  const only = path[1];
  return (
    <>
      <h1>Jobs</h1>
      {only !== "completed" && (
        <Card title="Running">
          <JobTable ended={false} />
        </Card>
      )}
      {only !== "running" && (
        <Card title="Ended">
          <JobTable ended />
        </Card>
      )}
    </>
  );
}
