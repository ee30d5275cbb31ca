/** One job: what it is, what can be done to it, and the pages about it. */

import { useEffect } from "react";
import { refresh, usePolled } from "../../api/poll";
import { useStore } from "../../api/store";
import type { Exceptions, GraphFlow, Job } from "../../api/types";
import { config } from "../../app/cluster";
import { href } from "../../app/router";
import { Copyable, Failure, Loading, Since, State, Time } from "../../parts/basic";
import { type Tab, Tabs } from "../../parts/Tabs";
import { hasEnded } from "../jobList";
import { CheckpointsTab, ConfigurationTab, ExceptionsTab, RescaleTab, TimelineTab } from "../restLater";
import { Actions } from "./Actions";
import { GraphTab } from "./GraphTab";

export function JobPage({ id, tab }: { id: string; tab: string }) {
  // The form of a job seldom changes; what changes all the time comes with `flow`, and with it the news that the form has changed.
  const { data: job, error } = usePolled<Job>(`jobs/${id}`, tab === "overview" ? 5 : 1);
  // Asked for at once, as the graph will want it.
  const { data: flow } = usePolled<GraphFlow>(tab === "overview" ? `jobs/${id}/flow` : null);
  useEffect(() => {
    if (job && flow && formOf(job) !== formOf(flow)) refresh(`jobs/${id}`);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once for each answer: the two may never agree
  }, [flow, id]);
  const exceptions = usePolled<Exceptions>(`jobs/${id}/exceptions?maxExceptions=20`, 2).data;
  const rescale = useStore(config)?.features["web-rescale"] ?? false;
  useEffect(() => {
    if (job) document.title = `${job.name} · Flott`;
  }, [job]);
  if (!job) {
    if (!error || error.status === 0) return <Loading what="Loading the job" />;
    return (
      <>
        <Failure error={error} what="The job" />
        <p>
          Ended jobs are forgotten when many others have ended after them. <a href={href(["jobs"])}>To the list of jobs</a>
        </p>
      </>
    );
  }
  const to = (page: string) => href(["jobs", id, page]);
  const tabs: Tab[] = [
    { id: "overview", title: "Graph", href: to("overview") },
    { id: "checkpoints", title: "Checkpoints", href: to("checkpoints") },
    { id: "exceptions", title: "Exceptions", href: to("exceptions"), badge: exceptions?.exceptionHistory.entries.length },
    { id: "timeline", title: "Timeline", href: to("timeline") },
    { id: "configuration", title: "Configuration", href: to("configuration") },
  ];
  if (rescale && !hasEnded(job.state)) tabs.push({ id: "rescale", title: "Rescale", href: to("rescale") });
  return (
    <>
      <div className="page-head">
        <div>
          <h1>
            {job.name} <State state={job.state} />
          </h1>
          <p className="subtitle">
            <Copyable text={job.jid} /> <span>{job["job-type"].toLowerCase()}</span>{" "}
            <span>
              since <Time at={job["start-time"]} />
            </span>{" "}
            {job["end-time"] > 0 && (
              <span>
                until <Time at={job["end-time"]} />
              </span>
            )}{" "}
            <span>
              for <Since start={job["start-time"]} end={job["end-time"]} />
            </span>
          </p>
        </div>
        {!hasEnded(job.state) && <Actions job={job} />}
      </div>
      <Tabs name="Pages of the job" tabs={tabs} current={tab} />
      <JobTab tab={tab} job={job} />
    </>
  );
}

/** The same text means the same form: state and parallelism. */
function formOf({ state, vertices }: Job | GraphFlow): string {
  return [state, ...vertices.map(({ status, parallelism }) => `${status} ${parallelism}`)].join();
}

function JobTab({ tab, job }: { tab: string; job: Job }) {
  switch (tab) {
    case "overview":
      return <GraphTab job={job} />;
    case "checkpoints":
      return <CheckpointsTab job={job} />;
    case "exceptions":
      return <ExceptionsTab job={job} />;
    case "timeline":
      return <TimelineTab job={job} />;
    case "configuration":
      return <ConfigurationTab job={job} />;
    case "rescale":
      return <RescaleTab job={job} />;
    default:
      return <p className="notice">There is no such page of a job.</p>;
  }
}
