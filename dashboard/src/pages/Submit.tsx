/** Programs: upload one, see whether it can run here, run it. */

import { useEffect, useEffectEvent, useId, useMemo, useState } from "react";
import { CallError, credentials, send } from "../api/client";
import { refreshAll, usePolled } from "../api/poll";
import type { Executables, ProgramPlan } from "../api/types";
import { useFeature } from "../app/cluster";
import { href, navigate, useQuery } from "../app/router";
import { FlowFigures } from "../graph/flow";
import { JobGraph } from "../graph/JobGraphLater";
import { graphOf } from "../graph/model";
import { Card, Empty, Failure, Loading, Sentence, Time } from "../parts/basic";
import { Dialog } from "../parts/Dialog";
import { type Column, Table } from "../parts/Table";

type File = Executables["files"][number];

export function SubmitPage() {
  const allowed = useFeature("web-submit", "deployer");
  const { data, error } = usePolled<Executables>(allowed ? "jars" : null);
  const [chosen, choose] = useQuery("program");
  const [uploaded, setUploaded] = useState("");
  const [removing, setRemoving] = useState<File | null>(null);
  if (!allowed) return <p className="notice">This cluster takes no programs here, or you may not submit any.</p>;
  const file = data?.files.find(({ id }) => id === chosen);
  const columns: Column<File>[] = [
    {
      id: "name",
      title: "Program",
      order: (one) => one.name,
      cell: (one) => (
        <button
          type="button"
          className="quiet strong"
          aria-expanded={one.id === chosen}
          onClick={() => choose(one.id === chosen ? "" : one.id)}
        >
          {one.name}
        </button>
      ),
    },
    { id: "id", title: "Id", cell: (one) => <code title={one.id}>{one.id.slice(0, 12)}</code> },
    { id: "uploaded", title: "Uploaded", order: (one) => one.uploaded, cell: (one) => <Time at={one.uploaded} /> },
    {
      id: "actions",
      title: "",
      cell: (one) => (
        <button type="button" className="danger-quiet small" onClick={() => setRemoving(one)}>
          Remove…
        </button>
      ),
    },
  ];
  return (
    <>
      <h1>Submit a program</h1>
      <Upload
        onDone={(id) => {
          refreshAll();
          setUploaded(id);
          choose(id);
        }}
      />
      <Card title="Programs">
        <Failure error={error} what="The programs" />
        {!data && !error && <Loading />}
        {data && (
          <Table
            name="programs"
            rows={data.files}
            columns={columns}
            rowKey={(one) => one.id}
            sort="-uploaded"
            empty="None yet. A program is an executable for this machine that calls `env.execute`, such as `target/release/examples/word_count`."
          />
        )}
      </Card>
      {file && <Run key={file.id} file={file} check={file.id === uploaded} />}
      {removing && (
        <Dialog
          title={`Remove ${removing.name}?`}
          action="Remove"
          danger
          onClose={() => setRemoving(null)}
          onConfirm={async () => {
            await send("DELETE", `jars/${encodeURIComponent(removing.id)}`);
            if (removing.id === chosen) choose("");
            refreshAll();
          }}
        >
          <p>Jobs that run already go on. To submit it again it must be uploaded again.</p>
        </Dialog>
      )}
    </>
  );
}

/** Sends a file, and tells how far it is: `fetch` cannot. */
function upload(file: Blob, name: string, onProgress: (share: number) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append("jarfile", file, name);
    const call = new XMLHttpRequest();
    call.open("POST", "jars/upload");
    for (const [header, value] of Object.entries(credentials())) call.setRequestHeader(header, value);
    call.upload.onprogress = (event) => onProgress(event.lengthComputable ? event.loaded / event.total : 0);
    call.onerror = () => reject(new CallError("the JobManager cannot be reached", 0));
    call.onload = () => {
      try {
        const body = JSON.parse(call.responseText) as { filename?: string; errors?: string[] };
        if (call.status < 300 && body.filename) resolve(body.filename.slice(body.filename.lastIndexOf("/") + 1));
        else reject(new CallError(body.errors?.join("\n") ?? `status ${call.status}`, call.status));
      } catch {
        reject(new CallError(`the server answered with status ${call.status}`, call.status));
      }
    };
    call.send(form);
  });
}

function Upload({ onDone }: { onDone: (id: string) => void }) {
  const [share, setShare] = useState<number | null>(null);
  const [error, setError] = useState<CallError>();
  const [over, setOver] = useState(false);
  const id = useId();
  const take = async (file: globalThis.File | undefined) => {
    if (!file) return;
    setError(undefined);
    setShare(0);
    try {
      onDone(await upload(file, file.name, setShare));
    } catch (failure) {
      setError(failure instanceof CallError ? failure : new CallError(String(failure), 0));
    } finally {
      setShare(null);
    }
  };
  return (
    <div
      className={`drop ${over ? "drop-over" : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        void take(event.dataTransfer.files[0]);
      }}
    >
      <label htmlFor={id}>Upload an executable</label>
      <input id={id} type="file" disabled={share !== null} onChange={(event) => void take(event.target.files?.[0])} />
      <span className="faint">or drop it here</span>
      {share !== null && <progress aria-label="upload" value={share} max={1} />}
      {error && (
        <p className="notice notice-bad" role="alert">
          The program was not taken: <Sentence text={error.message} />
        </p>
      )}
    </div>
  );
}

interface Form {
  program: string;
  arguments: string;
  parallelism: string;
  savepoint: string;
  lose: boolean;
}

function body(form: Form): Record<string, unknown> {
  return {
    ...(form.program ? { entryClass: form.program } : {}),
    ...(form.arguments.trim() ? { programArgs: form.arguments } : {}),
    ...(form.parallelism ? { parallelism: Number(form.parallelism) } : {}),
    ...(form.savepoint.trim() ? { savepointPath: form.savepoint.trim(), allowNonRestoredState: form.lose } : {}),
  };
}

/** What `file` is run with. With `check`, whether it can run is looked at without being asked to. */
function Run({ file, check }: { file: File; check: boolean }) {
  const [form, setForm] = useState<Form>({
    program: file.entry[0]?.name ?? "",
    arguments: "",
    parallelism: "",
    savepoint: "",
    lose: false,
  });
  const [plan, setPlan] = useState<ProgramPlan | null>(null);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState<"plan" | "run" | null>(null);
  const path = `jars/${encodeURIComponent(file.id)}`;
  const attempt = async (what: "plan" | "run") => {
    setBusy(what);
    setError("");
    try {
      if (what === "plan") {
        setPlan(await send<ProgramPlan>("POST", `${path}/plan`, body(form)));
      } else {
        const { jobid } = await send<{ jobid: string }>("POST", `${path}/run`, body(form));
        navigate(href(["jobs", jobid, "overview"]));
      }
    } catch (failure) {
      setPlan(null);
      setError(failure instanceof Error ? failure.message : String(failure));
    } finally {
      setBusy(null);
    }
  };
  const checkAtOnce = useEffectEvent(() => void attempt("plan"));
  useEffect(() => {
    if (check) checkAtOnce();
  }, [check]);
  const set = (change: Partial<Form>) => setForm({ ...form, ...change });
  return (
    <Card title={`Run ${file.name}`}>
      <form
        className="run-form"
        onSubmit={(event) => {
          event.preventDefault();
          void attempt("run");
        }}
      >
        {file.entry.length > 1 && (
          <label>
            Program in it
            <select value={form.program} onChange={(event) => set({ program: event.target.value })}>
              {file.entry.map((entry) => (
                <option key={entry.name} value={entry.name}>
                  {entry.description ? `${entry.name}: ${entry.description}` : entry.name}
                </option>
              ))}
            </select>
          </label>
        )}
        <label className="wide">
          Arguments
          <input
            type="text"
            value={form.arguments}
            placeholder='--input "/data/a text.txt"'
            onChange={(event) => set({ arguments: event.target.value })}
          />
        </label>
        <label>
          Parallelism
          <input
            type="number"
            min={1}
            value={form.parallelism}
            placeholder="as configured"
            onChange={(event) => set({ parallelism: event.target.value })}
          />
        </label>
        <label className="wide">
          Start from savepoint
          <input
            type="text"
            value={form.savepoint}
            placeholder="a folder; empty: start afresh"
            onChange={(event) => set({ savepoint: event.target.value })}
          />
        </label>
        {form.savepoint.trim() !== "" && (
          <label className="check wide">
            <input type="checkbox" checked={form.lose} onChange={(event) => set({ lose: event.target.checked })} />
            <span>Leave out state that no operator of this program takes. That state is lost.</span>
          </label>
        )}
        <div className="dialog-actions wide">
          <button type="button" disabled={busy !== null} onClick={() => void attempt("plan")}>
            {busy === "plan" ? "Checking…" : "Check and show the plan"}
          </button>
          <button type="submit" className="primary" disabled={busy !== null}>
            {busy === "run" ? "Starting…" : "Run"}
          </button>
        </div>
      </form>
      {error && (
        <div className="notice notice-bad" role="alert">
          <b>It cannot run like this:</b>
          <pre className="cause-message">{error}</pre>
        </div>
      )}
      {plan && <Preview program={plan} />}
    </Card>
  );
}

/** Whether the slots that a program asks for are there. */
function Slots({ slots }: { slots: ProgramPlan["slots"] }) {
  const { required, free, total } = slots;
  const asked = `${required} ${required === 1 ? "slot" : "slots"}`;
  const there = total === 0 ? "there are none" : `${free} of ${total} are free`;
  if (required <= free) {
    return (
      <>
        It needs {asked}, {there}.
      </>
    );
  }
  return (
    <>
      It needs {asked}, {there}: it will wait for more, or, with an adaptive scheduler (<code>jobmanager.scheduler</code>), run with fewer.
    </>
  );
}

function Preview({ program }: { program: ProgramPlan }) {
  const { plan, slots } = program;
  const graph = useMemo(() => graphOf(plan), [plan]);
  const [figures] = useState(() => new FlowFigures());
  if (graph.vertices.length === 0) return <Empty>The program has no operators.</Empty>;
  return (
    <>
      <p className={`notice ${slots.required <= slots.free ? "notice-good" : "notice-warn"}`}>
        It can run here: {plan.name}, {plan.type.toLowerCase()}, {graph.vertices.length} vertices. <Slots slots={slots} />
      </p>
      <section className="graph-card graph-small" aria-label="Plan">
        <JobGraph graph={graph} figures={figures} />
      </section>
    </>
  );
}
