/** What the metrics of a process are called here: Flink's names tell of a JVM that is not there. */

export type Kind = "job-manager" | "task-manager";

/** Bytes a second. */
export const RECEIVED = "numBytesInPerSecond";
export const SENT = "numBytesOutPerSecond";

const NAMES: Record<string, string> = {
  "Status.JVM.Memory.Heap.Used": "Memory of the process",
  "Status.JVM.Memory.Heap.Max": "Memory of the machine",
  "Status.JVM.CPU.Load": "CPU load",
  "Status.JVM.CPU.Time": "CPU time",
  "Status.JVM.Threads.Count": "Threads",
  "Status.JVM.FileDescriptor.Open": "Open files",
  "Status.JVM.FileDescriptor.Max": "Open files, at most",
  numRegisteredTaskManagers: "TaskManagers",
  numRunningJobs: "Running jobs",
  taskSlotsAvailable: "Free slots",
  taskSlotsTotal: "Slots",
};

/** With whom a process exchanges the bytes that it tells of: records go past the JobManager. */
export const NETWORK_WORDS: Record<Kind, { received: string; sent: string; exchanged: string }> = {
  "job-manager": {
    received: "Received over control connections and REST",
    sent: "Sent over control connections and REST",
    exchanged: "Exchanged over control connections and REST",
  },
  "task-manager": {
    received: "Received from other tasks",
    sent: "Sent to other tasks",
    exchanged: "Exchanged with other tasks",
  },
};

/** Metrics that Flink has, and that say nothing of a process without a JVM. */
export const NOTHING = /^Status\.JVM\.(ClassLoader|GarbageCollector|Memory\.(Heap\.Committed|Metaspace|NonHeap|Direct|Mapped))\b/;

/** A metric in words, as far as there are any. */
export function nameOf(id: string, kind: Kind): string {
  const { received, sent } = NETWORK_WORDS[kind];
  switch (id) {
    case "numBytesIn":
      return `${received}, in all`;
    case "numBytesOut":
      return `${sent}, in all`;
    case RECEIVED:
      return `${received} a second`;
    case SENT:
      return `${sent} a second`;
    default:
      return NAMES[id] ?? id;
  }
}
