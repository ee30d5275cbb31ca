/** What a user can do to a job. Long ones are begun, then asked about until they are done. */

import { get, send } from "./client";

interface Status {
  status: { id: "IN_PROGRESS" | "COMPLETED" };
  operation?: { location?: string; "checkpoint-id"?: number; checkpointId?: number; "failure-cause"?: { "stack-trace": string } };
}

const PAUSE_MS = 500;

async function finished(path: string): Promise<string> {
  for (;;) {
    const answer = await get<Status>(path);
    if (answer.status.id === "COMPLETED") {
      const failure = answer.operation?.["failure-cause"];
      if (failure) throw new Error(failure["stack-trace"]);
      return answer.operation?.location ?? "";
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

export async function cancel(job: string): Promise<void> {
  await send("PATCH", `jobs/${job}?mode=cancel`);
}

/** Gives the savepoint's folder. */
export async function savepoint(job: string, directory: string): Promise<string> {
  const body = { "target-directory": directory || null, "cancel-job": false };
  const begun = await send<{ "request-id": string }>("POST", `jobs/${job}/savepoints`, body);
  return finished(`jobs/${job}/savepoints/${begun["request-id"]}`);
}

/** Gives the savepoint's folder. */
export async function stop(job: string, directory: string, drain: boolean): Promise<string> {
  const begun = await send<{ "request-id": string }>("POST", `jobs/${job}/stop`, { targetDirectory: directory || null, drain });
  return finished(`jobs/${job}/savepoints/${begun["request-id"]}`);
}

export async function checkpoint(job: string): Promise<void> {
  const begun = await send<{ "request-id": string }>("POST", `jobs/${job}/checkpoints`, {});
  await finished(`jobs/${job}/checkpoints/${begun["request-id"]}`);
}
