/** What the REST server answers. Names are Flink's where the call is Flink's; times are ms since 1970, -1 for "not". */

export interface Config {
  "refresh-interval": number;
  "timezone-name": string;
  "flink-version": string;
  "flink-revision": string;
  features: { "web-submit": boolean; "web-cancel": boolean; "web-rescale": boolean; "web-history": boolean };
}

export interface Overview {
  taskmanagers: number;
  "slots-total": number;
  "slots-available": number;
  "jobs-running": number;
  "jobs-finished": number;
  "jobs-cancelled": number;
  "jobs-failed": number;
  "flink-version": string;
}

export interface JobSummary {
  jid: string;
  name: string;
  state: string;
  "start-time": number;
  "end-time": number;
  duration: number;
  tasks: Record<string, number>;
}

export interface LastCheckpoint {
  id: number;
  status: string;
  "ended-at": number;
  duration: number;
  size: number;
}

/** An element of `/jobs/flow`. */
export interface JobFlow {
  jid: string;
  state: string;
  restarts: number;
  "records-in-rate": number | null;
  "records-out-rate": number | null;
  busy: number | null;
  backpressured: number | null;
  "last-checkpoint": LastCheckpoint | null;
  failures: number;
}

export interface Share {
  max: number;
  avg: number;
  at: number;
}

/** A vertex in `/jobs/:job/flow`. */
export interface VertexFlow {
  id: string;
  status: string;
  parallelism: number;
  tasks: Record<string, number>;
  "records-in": number | null;
  "records-out": number | null;
  "records-in-rate": number | null;
  "records-out-rate": number | null;
  "bytes-in-rate": number | null;
  "bytes-out-rate": number | null;
  busy: Share | null;
  backpressured: Share | null;
  idle: Share | null;
  skew: number | null;
  watermark: number | null;
  "state-size": number | null;
}

/** An edge in `/jobs/:job/flow`. */
export interface EdgeFlow {
  source: string;
  target: string;
  /** The number of the target's input, as in the plan. */
  num: number;
  "records-rate": number | null;
}

/** `/jobs/:job/flow` */
export interface GraphFlow {
  jid: string;
  state: string;
  now: number;
  "start-time": number;
  "end-time": number;
  duration: number;
  restarts: number;
  "last-checkpoint": LastCheckpoint | null;
  bottleneck: { vertex: string; reason: string } | null;
  vertices: VertexFlow[];
  /** An older server does not tell. */
  edges?: EdgeFlow[];
}

export interface PlanInput {
  id: string;
  num: number;
  ship_strategy: string;
  exchange: string;
}

export interface PlanNode {
  id: string;
  parallelism: number;
  description: string;
  inputs?: PlanInput[];
}

export interface Plan {
  jid: string;
  name: string;
  type: string;
  nodes: PlanNode[];
}

/** The plan of an uploaded program. */
export interface ProgramPlan {
  plan: Plan;
  slots: { required: number; free: number; total: number };
}

export interface IoMetrics {
  "read-bytes": number;
  "write-bytes": number;
  "read-records": number;
  "write-records": number;
  "accumulated-backpressured-time": number;
  "accumulated-idle-time": number;
  "accumulated-busy-time": number;
}

export interface Vertex {
  id: string;
  name: string;
  slotSharingGroupId: string;
  maxParallelism: number;
  parallelism: number;
  status: string;
  "start-time": number;
  "end-time": number;
  duration: number;
  tasks: Record<string, number>;
  metrics: IoMetrics;
}

export interface Job {
  jid: string;
  name: string;
  state: string;
  "job-type": string;
  "start-time": number;
  "end-time": number;
  duration: number;
  maxParallelism: number;
  now: number;
  timestamps: Record<string, number>;
  vertices: Vertex[];
  plan: Plan;
}

export interface Subtask {
  subtask: number;
  status: string;
  attempt: number;
  endpoint: string;
  "start-time": number;
  "end-time": number;
  duration: number;
  metrics: IoMetrics;
  "taskmanager-id": string;
  "status-duration": Record<string, number>;
}

/** An attempt of a subtask, which may be an earlier one. */
export type Attempt = Subtask;

export interface VertexDetail {
  id: string;
  name: string;
  parallelism: number;
  now: number;
  subtasks: Subtask[];
}

export interface OnTaskManager {
  endpoint: string;
  status: string;
  "start-time": number;
  duration: number;
  metrics: IoMetrics;
  "status-counts": Record<string, number>;
  "taskmanager-id": string;
}

export interface Backpressure {
  status: string;
  "backpressure-level": string | null;
  subtasks: { subtask: number; "backpressure-level": string; ratio: number; idleRatio: number; busyRatio: number }[];
}

export interface Metric {
  id: string;
  value?: string;
}

export interface Accumulator {
  name: string;
  type: string;
  value: string;
}

export interface SubtaskTimes {
  now: number;
  subtasks: { subtask: number; endpoint: string; duration: number; timestamps: Record<string, number> }[];
}

export interface Frame {
  name: string;
  value: number;
  children?: Frame[];
}

/** `endTimestamp` is -1 if no subtask runs any more, -2 where flame graphs are switched off, -3 while there are no samples yet. */
export interface FlameGraph {
  endTimestamp: number;
  data?: Frame;
}

export interface Checkpoint {
  id: number;
  status: "IN_PROGRESS" | "COMPLETED" | "FAILED";
  is_savepoint: boolean;
  trigger_timestamp: number;
  latest_ack_timestamp: number;
  state_size: number;
  checkpointed_size: number;
  end_to_end_duration: number;
  num_subtasks: number;
  num_acknowledged_subtasks: number;
  checkpoint_type: string;
  external_path?: string;
  discarded?: boolean;
  failure_message?: string;
  failure_timestamp?: number;
  tasks: Record<string, CheckpointPart>;
}

export interface CheckpointPart {
  id: number;
  status: string;
  latest_ack_timestamp: number;
  checkpointed_size: number;
  state_size: number;
  end_to_end_duration: number;
  num_subtasks: number;
  num_acknowledged_subtasks: number;
}

export interface Statistics {
  min: number;
  max: number;
  avg: number;
  p50: number;
  p90: number;
  p95: number;
  p99: number;
  p999: number;
}

export interface Checkpoints {
  counts: { restored: number; total: number; in_progress: number; completed: number; failed: number };
  summary: Record<"checkpointed_size" | "state_size" | "end_to_end_duration", Statistics>;
  latest: {
    completed: Checkpoint | null;
    savepoint: Checkpoint | null;
    failed: Checkpoint | null;
    restored: { id: number; restore_timestamp: number; is_savepoint: boolean; external_path: string | null } | null;
  };
  history: Checkpoint[];
}

export interface CheckpointSubtasks {
  subtasks: (
    | {
        index: number;
        status: "completed";
        ack_timestamp: number;
        end_to_end_duration: number;
        checkpointed_size: number;
        checkpoint: { sync: number; async: number };
        alignment: { duration: number };
        start_delay: number;
      }
    | { index: number; status: "pending_or_failed" }
  )[];
}

export interface CheckpointConfig {
  mode: string;
  interval: number;
  timeout: number;
  min_pause: number;
  max_concurrent: number;
  externalization: { enabled: boolean; delete_on_cancellation: boolean };
  state_backend: string;
  checkpoint_storage: string;
  unaligned_checkpoints: boolean;
  tolerable_failed_checkpoints: number;
}

export interface Exception {
  exceptionName: string;
  stacktrace: string;
  timestamp: number;
  failureLabels: Record<string, string>;
  taskName: string | null;
  endpoint: string | null;
  taskManagerId: string | null;
  concurrentExceptions?: Exception[];
}

export interface Exceptions {
  exceptionHistory: { entries: Exception[]; truncated: boolean };
}

export interface JobConfig {
  "execution-config": {
    "restart-strategy": string;
    "job-parallelism": number;
    "user-config": Record<string, string>;
  };
}

export interface KeyValue {
  key: string;
  value: string;
  /** Where the value was given; `default` if nowhere. */
  origin: string;
}

export interface TaskManager {
  id: string;
  path: string;
  dataPort: number;
  timeSinceLastHeartbeat: number;
  slotsNumber: number;
  freeSlots: number;
  assignedTasks: number;
  hardware: { cpuCores: number; physicalMemory: number; freeMemory: number; managedMemory: number };
  usage: {
    cpuLoad: number | null;
    memoryUsed: number | null;
    memoryMax: number | null;
    bytesInRate: number | null;
    bytesOutRate: number | null;
  };
}

export interface TaskManagerDetail extends TaskManager {
  allocatedSlots: { jobId: string; assignedTasks: number }[];
  metrics: { heapUsed: number; heapMax: number };
}

export interface LogFiles {
  logs: { name: string; size: number; mtime: number }[];
}

export interface ThreadDump {
  threadInfos: { threadName: string; stringifiedThreadInfo: string }[];
}

export interface Environment {
  jvm: { version: string; arch: string; options: string[] };
}

export interface Executables {
  files: { id: string; name: string; uploaded: number; entry: { name: string; description: string | null }[] }[];
}

export type Requirements = Record<string, { parallelism: { lowerBound: number; upperBound: number } }>;

/** A change of a job's parallelism. */
export interface Rescale {
  rescaleUuid: string;
  vertices: Record<
    string,
    { jobVertexName: string; desiredParallelism: number; preRescaleParallelism: number; postRescaleParallelism: number | null }
  >;
  /** In the details alone: the last state is that of now. */
  schedulerStates: { state: string; enterTimestampInMillis: number; stringifiedException: string | null }[] | null;
  startTimestampInMillis: number;
  endTimestampInMillis: number | null;
  /** `null` while it is under way. */
  terminalState: "COMPLETED" | "FAILED" | "IGNORED" | null;
  triggerCause: string;
  terminatedReason: string | null;
}

export interface RescaleConfig {
  executingCooldownTimeoutInMillis: number;
}

/** Whether records may be looked at. */
export interface TapTerms {
  enabled: boolean;
}

export interface TapBegun extends TapTerms {
  tap: string;
}

/** A record that went by. */
export interface TapRecord {
  subtask: number;
  operator: string;
  direction: "in" | "out";
  at: number;
  timestamp: number | null;
  shown: "clear" | "masked" | "hidden" | "failed";
  value: string | null;
  truncated: boolean;
}

export interface TapSeen {
  now: number;
  records: TapRecord[];
  missed: number;
  message: string | null;
}
