/** A cluster of the project's own processes, for tests: everything it writes is in a folder of its own. */

import { execFile, spawn } from "node:child_process";
import { createWriteStream, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Where cargo has put the programs. */
export const programs = process.env.DASHBOARD_PROGRAMS ?? fileURLToPath(new URL("../../target/debug", import.meta.url));

export const example = (name) => join(programs, "examples", name);

export class Cluster {
  /** With `tokens` the cluster asks everybody who they are. */
  static async start({ taskManagers = 2, slots = 4, options = [], tokens = false } = {}) {
    const cluster = new Cluster();
    cluster.options = options;
    if (tokens) await cluster.makeTokens();
    await cluster.startJobManager(0, 0);
    for (let number = 0; number < taskManagers; number += 1) cluster.addTaskManager(`tm-${number}`, slots);
    await eventually("the TaskManagers are there", async () => (await cluster.get("overview")).taskmanagers === taskManagers);
    return cluster;
  }

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "flott-dashboard-"));
    this.logs = join(this.folder, "log");
    mkdirSync(this.logs);
    this.processes = new Map();
    this.environment = { ...process.env, FLOTT_IO_TMP_DIRS: this.folder, RUST_LOG: "info" };
    delete this.environment.FLOTT_CONF_DIR;
    // Ends with whoever runs the tests, however that ends.
    process.on("exit", () => this.stop());
  }

  /** Makes a token for each role; from then on this object has that of the admin. */
  async makeTokens() {
    const folder = this.path("security");
    const { stdout } = await run(join(programs, "flott"), ["security", "init", "--dir", folder, "--host", "localhost"], {
      cwd: this.folder,
      env: this.environment,
    });
    this.tokens = Object.fromEntries([...stdout.matchAll(/^\w+ +(\w+) +(flott_\w+)$/gm)].map(([, role, token]) => [role, token]));
    this.environment.FLOTT_SECURITY_TOKEN = this.tokens.admin;
    const inside = (name) => `-Dsecurity.ssl.internal.${name}`;
    this.options = [
      ...this.options,
      `-Dsecurity.tokens.file=${join(folder, "tokens")}`,
      inside("enabled=true"),
      inside(`authority=${join(folder, "ca.pem")}`),
      inside(`certificate=${join(folder, "process.pem")}`),
      inside(`key=${join(folder, "process.key")}`),
    ];
  }

  /** Starts `flott` with the options of this cluster. */
  spawn(name, args, output) {
    const child = spawn(join(programs, "flott"), [`-Denv.log.dir=${this.logs}`, ...this.options, ...args], {
      cwd: this.folder,
      env: this.environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stderr.pipe(createWriteStream(join(this.logs, `${output}.log`), { flags: "a" }));
    this.processes.set(name, child);
    return child;
  }

  async startJobManager(port, rest) {
    const child = this.spawn("jobmanager", [`-Djobmanager.rpc.port=${port}`, `-Drest.port=${rest}`, "jobmanager"], "flott-jobmanager");
    for await (const line of createInterface({ input: child.stdout })) {
      this.url = /REST at (http:\S+)/.exec(line)?.[1] ?? this.url;
      this.port = /JobManager at .*:(\d+)/.exec(line)?.[1] ?? this.port;
      if (/JobManager at/.test(line)) break;
    }
    if (!this.port) throw new Error(`the JobManager did not start; see ${this.logs}`);
  }

  addTaskManager(id, slots) {
    const args = [`-Djobmanager.rpc.port=${this.port}`, `-Dtaskmanager.resource-id=${id}`, `-Dtaskmanager.numberOfTaskSlots=${slots}`];
    const child = this.spawn(id, [...args, "taskmanager"], `flott-taskmanager-${id}`);
    child.stdout.pipe(createWriteStream(join(this.logs, `flott-taskmanager-${id}.out`), { flags: "a" }));
  }

  /** Kills a process at once. */
  kill(name) {
    this.processes.get(name)?.kill("SIGKILL");
    this.processes.delete(name);
  }

  path(name) {
    return join(this.folder, name);
  }

  /** Submits a program; gives the id of its job. */
  async submit(program, args = [], options = []) {
    const common = [`-Djobmanager.rpc.port=${this.port}`, ...this.options, ...options, "run", "-d"];
    const { stdout, stderr } = await run(join(programs, "flott"), [...common, program, ...args], {
      cwd: this.folder,
      env: this.environment,
    });
    const job = /JobID ([0-9a-f]{32})/.exec(stdout + stderr)?.[1];
    if (!job) throw new Error(`no job was submitted: ${stdout}${stderr}`);
    return job;
  }

  /** `state_machine`, which never ends. */
  async stateMachine(parallelism = 2) {
    const args = [
      "--output",
      this.path("alerts"),
      "--rate",
      "2000",
      "--checkpoint-dir",
      this.path("checkpoints"),
      "--checkpoint-interval",
      "500",
    ];
    const job = await this.submit(example("state_machine"), [...args, "--parallelism", String(parallelism)]);
    await this.reaches(job, "RUNNING");
    return job;
  }

  async get(path) {
    const headers = this.tokens ? { Authorization: `Bearer ${this.tokens.admin}` } : {};
    const response = await fetch(`${this.url}/${path}`, { headers });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response.json();
  }

  async reaches(job, state) {
    await eventually(`${job} is ${state}`, async () => (await this.get(`jobs/${job}/status`)).status === state);
  }

  stop() {
    for (const child of this.processes.values()) child.kill("SIGKILL");
    this.processes.clear();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

/** Longer than anything takes on a busy machine. */
const DEADLINE_MS = 40_000;

/** Waits until `done` says so. */
export async function eventually(what, done) {
  const start = Date.now();
  for (;;) {
    if (await done()) return;
    if (Date.now() - start > DEADLINE_MS) throw new Error(`in vain waited until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
