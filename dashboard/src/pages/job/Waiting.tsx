/** A job that cannot run yet, since there are too few slots. */

import { usePolled } from "../../api/poll";
import type { Job, Overview } from "../../api/types";
import { href } from "../../app/router";
import { slotsNeeded } from "./slots";

/** States of tasks that hold their slots. */
const ALIVE = ["DEPLOYING", "INITIALIZING", "RUNNING", "CANCELING", "FINISHED"];

/** Whether a job that has not ended has no task anywhere. */
export function isWaiting({ state, vertices }: Pick<Job, "state" | "vertices">): boolean {
  if (state !== "CREATED" && state !== "RESTARTING") return false;
  return vertices.every(({ tasks }) => ALIVE.every((alive) => (tasks[alive] ?? 0) === 0));
}

/** What a waiting job waits for. */
export function waitsFor(state: string, needed: number, free: number): string | null {
  const slots = (number: number) => `${number} ${number === 1 ? "slot" : "slots"}`;
  if (free < needed) return `The job waits for slots: ${needed} needed, ${free} free.`;
  return state === "RESTARTING" ? `The job is about to start again: ${slots(needed)} needed, ${free} free.` : null;
}

export function Waiting({ job }: { job: Job }) {
  const waiting = isWaiting(job);
  const overview = usePolled<Overview>(waiting ? "overview" : null).data;
  if (!waiting || !overview) return null;
  const text = waitsFor(job.state, slotsNeeded(job.vertices), overview["slots-available"]);
  if (text === null) return null;
  const { taskmanagers, "slots-total": total } = overview;
  const there =
    taskmanagers === 0
      ? "There is no TaskManager."
      : `${taskmanagers} ${taskmanagers === 1 ? "TaskManager has" : "TaskManagers have"} ${total} in all.`;
  return (
    <p className="notice notice-warn" role="status">
      <b>{text}</b> {there} Start more <a href={href(["task-managers"])}>TaskManagers</a>, or end another job.
    </p>
  );
}
