/** Which address shows which page. Addresses of Flink's dashboard lead to the same things. */

import { useEffect } from "react";
import { JobsPage } from "../pages/Jobs";
import { JobPage } from "../pages/job/JobPage";
import { OverviewPage } from "../pages/Overview";
import { ProcessPage, SubmitPage, TaskManagersPage } from "../pages/restLater";
import { href, useRoute } from "./router";

/** The path of this dashboard for a path of Flink's. */
export function translated(path: readonly string[]): string[] | null {
  const [first, second, third, ...rest] = path;
  if (first === "job" && (second === "running" || second === "completed")) return third ? ["jobs", third, ...rest] : ["jobs"];
  if (first === "job") return second ? ["jobs", second, ...(third ? [third] : [])] : ["jobs"];
  if (first === "task-manager") return second ? ["task-managers", second, ...(third ? [third] : [])] : ["task-managers"];
  return null;
}

export function Page() {
  const { path } = useRoute();
  const other = translated(path);
  const target = other ? href(other) : null;
  useEffect(() => {
    if (target) window.location.replace(target);
  }, [target]);
  const [section = "overview", id, tab] = path;
  useTitle(section, id);
  return target ? null : page(section, id, tab);
}

function page(section: string, id: string | undefined, tab: string | undefined) {
  switch (section) {
    case "overview":
      return <OverviewPage />;
    case "jobs":
      return id && id !== "running" && id !== "completed" ? <JobPage key={id} id={id} tab={tab ?? "overview"} /> : <JobsPage />;
    case "task-managers":
      return id ? <ProcessPage key={id} taskManager={id} tab={tab ?? "metrics"} /> : <TaskManagersPage />;
    case "job-manager":
      return <ProcessPage taskManager={null} tab={id ?? "metrics"} />;
    case "submit":
      return <SubmitPage />;
    default:
      return (
        <p className="notice">
          There is no such page. <a href={href(["overview"])}>To the overview</a>
        </p>
      );
  }
}

const TITLES: Record<string, string> = {
  overview: "Overview",
  jobs: "Jobs",
  "task-managers": "TaskManagers",
  "job-manager": "JobManager",
  submit: "Submit",
};

function useTitle(section: string, id: string | undefined): void {
  useEffect(() => {
    // Pages of one job or TaskManager name themselves.
    if (!id || section === "job-manager") document.title = `${TITLES[section] ?? "Flott"} · Flott`;
  }, [section, id]);
}
