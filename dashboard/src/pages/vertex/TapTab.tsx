/** A sample of the records that go in and out right now. */

import { type ReactNode, useCallback, useEffect, useMemo, useState } from "react";
import { CallError, get, send } from "../../api/client";
import { usePolled } from "../../api/poll";
import { useStore } from "../../api/store";
import type { TapBegun, TapRecord, TapSeen, TapTerms } from "../../api/types";
import { useRole } from "../../app/cluster";
import { useQuery } from "../../app/router";
import { zone } from "../../app/settings";
import { clock, count, time } from "../../format/units";
import { Empty, Failure, Loading } from "../../parts/basic";
import { keep, matches, type Numbered } from "./tapped";

/** How often the records are fetched, ms. */
const PAUSE_MS = 1000;

const DIRECTIONS: [string, string][] = [
  ["", "In and out"],
  ["in", "In"],
  ["out", "Out"],
];

interface Props {
  path: string;
  parallelism: number;
}

export function TapTab(props: Props) {
  const { data, error } = usePolled<TapTerms>(`${props.path}/tap`, 20);
  const may = useRole("operator");
  if (!data) return error ? <Failure error={error} what="The tap" /> : <Loading />;
  if (!data.enabled) {
    return (
      <Empty>
        Taps are switched off, as they show records. Whoever runs the cluster sets <code>rest.tap.enabled: true</code> for the JobManager.
      </Empty>
    );
  }
  if (!may) return <Empty>To look at records takes the role operator.</Empty>;
  return <Tap key={props.path} {...props} />;
}

function Tap({ path, parallelism }: Props) {
  const [direction, setDirection] = useQuery("direction");
  const [subtask, setSubtask] = useQuery("subtask");
  const [search, setSearch] = useState("");
  const { running, records, missed, message, start, stop } = useTap(path, subtask);
  const shown = useMemo(
    () => records.filter((record) => matches(record, direction, subtask, search)),
    [records, direction, subtask, search],
  );
  return (
    <>
      <div className="choices">
        <button type="button" onClick={running ? stop : start}>
          {running ? "Stop the tap" : "Start the tap"}
        </button>
        <div className="group" role="group" aria-label="Which records">
          {DIRECTIONS.map(([id, title]) => (
            <button key={id} type="button" aria-pressed={direction === id} onClick={() => setDirection(id)}>
              {title}
            </button>
          ))}
        </div>
        <label>
          Subtask
          <select value={subtask} onChange={(event) => setSubtask(event.target.value)}>
            <option value="">all</option>
            {Array.from({ length: Math.min(parallelism, 1000) }, (_, at) => (
              <option key={at} value={at}>
                {at}
              </option>
            ))}
          </select>
        </label>
        <input
          type="search"
          value={search}
          placeholder="Search"
          aria-label="Search in records"
          onChange={(event) => setSearch(event.target.value)}
        />
      </div>
      <p className="faint" role="status">
        {summary(running, records.length, shown.length, missed)}
      </p>
      {message && <p className="notice">{message}</p>}
      {records.length === 0 && !running && (
        <Empty>
          A tap shows at most ten records a second of each subtask and operator, until it is stopped or this page is left. What the job
          masks or hides is not shown. The cluster notes who has looked.
        </Empty>
      )}
      {shown.length > 0 && <Records records={shown} />}
    </>
  );
}

function summary(running: boolean, all: number, shown: number, missed: number): string {
  if (all === 0) return running ? "Waiting for records…" : "";
  const some = shown === all ? `${count(all)} records` : `${count(shown)} of ${count(all)} records`;
  return `${some}, the newest first${missed > 0 ? `; ${count(missed)} more were left out` : ""}${running ? "" : "; stopped"}.`;
}

interface State {
  records: Numbered[];
  missed: number;
  message: string | null;
}

const NOTHING: State = { records: [], missed: 0, message: null };

/** A tap that is open while `running`. Another subtask is another tap. */
function useTap(path: string, subtask: string) {
  const [running, setRunning] = useState(false);
  const [state, setState] = useState<State>(NOTHING);
  const start = useCallback(() => {
    setState(NOTHING);
    setRunning(true);
  }, []);
  const stop = useCallback(() => setRunning(false), []);
  useEffect(() => {
    if (!running) return;
    let left = false;
    let tap: string | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = () => {
      if (tap !== null) void send("DELETE", tap).catch(() => {});
      tap = null;
    };
    const look = async () => {
      try {
        // The server forgets a tap that a hidden page does not ask about; it is begun again then.
        if (tap === null) {
          const begun = await send<TapBegun>("POST", `${path}/tap`, { subtask: subtask === "" ? null : Number(subtask) });
          tap = `${path}/tap/${begun.tap}`;
          if (left) return end();
        }
        if (!document.hidden) {
          const seen = await get<TapSeen>(tap);
          if (left) return;
          setState((before) => ({
            records: keep(before.records, seen.records),
            missed: before.missed + seen.missed,
            message: seen.message,
          }));
        }
      } catch (error) {
        if (left) return;
        const gone = error instanceof CallError && error.status === 404;
        const lost = error instanceof CallError && error.status === 0;
        if (gone && tap !== null) tap = null;
        else if (!lost) {
          tap = null;
          setState((before) => ({ ...before, message: error instanceof Error ? error.message : String(error) }));
          setRunning(false);
          return;
        }
      }
      timer = setTimeout(() => void look(), PAUSE_MS);
    };
    void look();
    return () => {
      left = true;
      clearTimeout(timer);
      end();
    };
  }, [running, path, subtask]);
  return { running, ...state, start, stop };
}

function Records({ records }: { records: readonly Numbered[] }) {
  const utc = useStore(zone) === "utc";
  return (
    <div className="table-scroll tapped" tabIndex={0} role="region" aria-label="Records">
      <table role="table">
        <thead role="rowgroup">
          <tr role="row">
            {COLUMNS.map((title) => (
              <th key={title} role="columnheader" scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {records.map((record) => (
            <tr key={record.number} role="row">
              {cells(record, utc).map((cell, at) => (
                <td key={at} role="cell" data-label={COLUMNS[at]} className={at === COLUMNS.length - 1 ? "record" : undefined}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const COLUMNS = ["Seen", "Way", "Subtask", "Operator", "Event time", "Record"];

/** What stands in each column. */
function cells(record: Numbered, utc: boolean): ReactNode[] {
  return [
    <span className="nowrap">{clock(record.at, utc)}</span>,
    <span className={`way way-${record.direction}`}>{record.direction}</span>,
    record.subtask,
    record.operator,
    record.timestamp === null ? <span className="faint">none</span> : <span className="nowrap">{time(record.timestamp, utc)}</span>,
    <span>
      <Value record={record} />
    </span>,
  ];
}

function Value({ record }: { record: TapRecord }): ReactNode {
  if (record.shown === "hidden") return <span className="faint">hidden by the job</span>;
  if (record.shown === "failed") return <span className="faint">cannot be shown: what masks or writes it panicked</span>;
  return (
    <>
      <code className="wrap">{record.value}</code>
      {record.truncated && <span className="faint"> … (only its beginning)</span>}
      {record.shown === "masked" && <span className="way way-masked">masked</span>}
    </>
  );
}
