/** Any metric of a vertex over time. Values are kept from when it was chosen. */

import { type ChangeEvent, type FormEvent, useId, useMemo, useState } from "react";
import { usePolled } from "../../api/poll";
import { useStore } from "../../api/store";
import type { Metric } from "../../api/types";
import { setQuery, useQuery } from "../../app/router";
import { lastMetrics, metricLines, zone } from "../../app/settings";
import { behind, duration, isWatermark, lag, metric, NONE, watermark } from "../../format/units";
import { Empty, Failure, Loading } from "../../parts/basic";
import { later } from "../../parts/later";
import { History, MOST, picked } from "../../parts/history";

const Chart = later(() => import("../../parts/Chart").then((part) => part.Chart));

interface Aggregate {
  id: string;
  min: number;
  max: number;
  avg: number;
  sum: number;
}

/** Values that a chart keeps: ten minutes at the usual interval. */
const KEPT = 200;

const USUAL = "numRecordsInPerSecond,numRecordsOutPerSecond,busyTimeMsPerSecond";

export function MetricsTab({ path, parallelism }: { path: string; parallelism: number }) {
  const names = usePolled<Metric[]>(`${path}/subtasks/metrics`, 10);
  const known = useMemo(() => names.data?.map(({ id }) => id), [names.data]);
  const [list, choose] = useChosen(known);
  const values = usePolled<Aggregate[]>(list.length > 0 ? `${path}/subtasks/metrics?get=${encodeURIComponent(list.join(","))}` : null);
  const [lines, setLines] = useLines();
  const [pick, setPick] = useQuery("subtasks");
  const few = parallelism <= MOST;
  const subtasks = useMemo(() => {
    if (lines === "together") return [];
    return few ? Array.from({ length: parallelism }, (_, subtask) => subtask) : picked(pick, parallelism);
  }, [lines, few, parallelism, pick]);
  const asked = list.flatMap((id) => subtasks.map((subtask) => `${subtask}.${id}`)).join(",");
  const single = usePolled<Metric[]>(asked ? `${path}/metrics?get=${encodeURIComponent(asked)}` : null);
  if (!known) return names.error ? <Failure error={names.error} what="The metrics" /> : <Loading />;
  return (
    <>
      <Picker known={known.filter((id) => !list.includes(id))} onPick={(id) => choose([...list, id])} />
      {parallelism > 1 && (
        <div className="choices">
          <div className="group" role="group" aria-label="Lines">
            <button type="button" aria-pressed={lines === "together"} onClick={() => setLines("together")}>
              All together
            </button>
            <button type="button" aria-pressed={lines === "subtasks"} onClick={() => setLines("subtasks")}>
              By subtask
            </button>
          </div>
          {lines === "subtasks" && !few && (
            <label>
              Subtasks
              <input
                type="search"
                value={pick}
                placeholder={`such as 0, 3-5, of ${parallelism}`}
                onChange={(event) => setPick(event.target.value)}
              />
            </label>
          )}
        </div>
      )}
      <Failure error={values.error ?? single.error} what="The values" />
      {list.length === 0 && <Empty>Choose a metric.</Empty>}
      <div className="charts">
        {list.map((id) => (
          <MetricChart
            key={`${id} ${lines}`}
            id={id}
            value={values.data?.find((value) => value.id === id)}
            at={values.at}
            subtasks={subtasks}
            own={subtasks.length > 0 ? single.data : undefined}
            aggregates={lines === "together" || !few}
            onRemove={() => choose(list.filter((other) => other !== id))}
          />
        ))}
      </div>
    </>
  );
}

/** The metrics that are chosen: those of the address, or those that were chosen last as far as this vertex has them. */
function useChosen(known: readonly string[] | undefined): [string[], (list: string[]) => void] {
  const [chosen, choose] = useQuery("metrics");
  const [last] = useState(() => lastMetrics.read());
  const list = useMemo(() => {
    const split = (text: string) => text.split(",").filter(Boolean);
    if (chosen !== "") return split(chosen);
    const had = split(last ?? USUAL).filter((id) => known?.includes(id) ?? true);
    return had.length > 0 ? had : split(USUAL);
  }, [chosen, last, known]);
  const change = (list: string[]) => {
    lastMetrics.write(list.join(","));
    // Nothing is chosen where the address has an empty list; without one it is what is usual.
    choose(list.join(",") || ",");
  };
  return [list, change];
}

/** What the lines of charts are: as the address says, or as was chosen last. */
function useLines(): ["together" | "subtasks", (lines: "together" | "subtasks") => void] {
  const [asked] = useQuery("lines");
  const last = useStore(metricLines);
  const set = (lines: "together" | "subtasks") => {
    metricLines.set(lines);
    setQuery({ lines });
  };
  return [asked === "together" || asked === "subtasks" ? asked : last, set];
}

/** The only metric that is meant by a text: its name, or that in which it occurs. */
export function meant(text: string, known: readonly string[]): string | undefined {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return undefined;
  const exact = known.find((id) => id.toLowerCase() === wanted);
  const within = known.filter((id) => id.toLowerCase().includes(wanted));
  return exact ?? (within.length === 1 ? within[0] : undefined);
}

/** A name is typed, or taken from the list that the browser shows below. */
function Picker({ known, onPick }: { known: readonly string[]; onPick: (id: string) => void }) {
  const [text, setText] = useState("");
  const list = useId();
  const found = meant(text, known);
  const pick = (id: string) => {
    onPick(id);
    setText("");
  };
  const change = (event: ChangeEvent<HTMLInputElement>) => {
    const { value } = event.target;
    // What is taken from the list is not typed. A name that is typed may be the beginning of another.
    const how = event.nativeEvent instanceof InputEvent ? event.nativeEvent.inputType : "";
    if ((how === "" || how === "insertReplacementText") && known.includes(value)) pick(value);
    else setText(value);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (found) pick(found);
  };
  return (
    <form className="choices" onSubmit={submit}>
      <label className="metric-choice">
        Add a metric
        <input type="search" list={list} value={text} placeholder={`search ${known.length} metrics`} autoComplete="off" onChange={change} />
      </label>
      <datalist id={list}>
        {known.map((id) => (
          <option key={id} value={id} />
        ))}
      </datalist>
      <button type="submit" disabled={!found}>
        Add
      </button>
      <span className="faint" role="status">
        {text !== "" &&
          !found &&
          `${known.filter((id) => id.toLowerCase().includes(text.trim().toLowerCase())).length} have this in their names`}
      </span>
    </form>
  );
}

function Head({ id, now, onRemove }: { id: string; now: string; onRemove: () => void }) {
  return (
    <figcaption>
      <code>{id}</code>
      <b>{now}</b>
      <button type="button" className="quiet small" aria-label={`remove ${id}`} onClick={onRemove}>
        ✕
      </button>
    </figcaption>
  );
}

/** Chart and legend show spans; what is ahead has no dash either. */
const span = (ms: number | null | undefined) => (typeof ms === "number" && ms < 0 ? `${duration(-ms)} ahead` : duration(ms));

interface ChartProps {
  id: string;
  /** Of all subtasks. */
  value: Aggregate | undefined;
  /** When the values were told. */
  at: number;
  subtasks: readonly number[];
  /** The values of these subtasks, of this metric and others. */
  own: readonly Metric[] | undefined;
  /** Whether all subtasks together have lines as well. */
  aggregates: boolean;
  onRemove: () => void;
}

/** Watermarks are points in time: what is drawn of them is how far they are behind. */
function MetricChart({ id, value, at, subtasks, own, aggregates, onRemove }: ChartProps) {
  const utc = useStore(zone) === "utc";
  const [past] = useState(() => new History(KEPT));
  const isTime = isWatermark(id);
  const additive = /num|records|bytes/i.test(id.slice(id.lastIndexOf(".") + 1));
  const ofAll = useMemo(
    () => (aggregates ? namesOf(isTime, additive && subtasks.length === 0) : []),
    [aggregates, isTime, additive, subtasks],
  );
  const names = useMemo(() => [...ofAll, ...subtasks.map((subtask) => `subtask ${subtask}`)], [ofAll, subtasks]);
  const series = useMemo(() => names.map((name) => ({ name })), [names]);
  const { times, values } = useMemo(() => {
    if (value && (own !== undefined || subtasks.length === 0)) past.push(at, drawn(id, value, at, own, subtasks));
    return past.of(names);
  }, [past, id, value, at, own, subtasks, names]);
  const sum = additive ? value?.sum : value?.avg;
  return (
    <figure>
      <Head id={id} now={isTime ? lagText(value?.min, at, utc) : metric(id, sum)} onRemove={onRemove} />
      {isTime && value && behind(value.max, at) === null ? (
        <p className="faint chart-wait">A line is drawn while the watermark is a point in time.</p>
      ) : times.length > 1 ? (
        <Chart
          label={isTime ? `lag of ${id} over time` : `${id} over time`}
          times={times}
          values={values}
          series={series}
          format={isTime ? span : (one) => metric(id, one)}
          height={130}
        />
      ) : (
        <p className="faint chart-wait">The line begins with the second value.</p>
      )}
    </figure>
  );
}

function namesOf(isTime: boolean, additive: boolean): string[] {
  return isTime ? ["furthest behind", "least behind"] : [additive ? "all" : "average", "lowest", "highest"];
}

/** The values of all lines at a time. */
function drawn(
  id: string,
  value: Aggregate,
  at: number,
  own: readonly Metric[] | undefined,
  subtasks: readonly number[],
): Map<string, number | null> {
  const shown = (number: number) => (isWatermark(id) ? behind(number, at) : number);
  const all = new Map<string, number | null>();
  if (isWatermark(id)) all.set("furthest behind", shown(value.min)).set("least behind", shown(value.max));
  else all.set("all", value.sum).set("average", value.avg).set("lowest", value.min).set("highest", value.max);
  const told = new Map(own?.map((one) => [one.id, one.value]));
  for (const subtask of subtasks) {
    const text = told.get(`${subtask}.${id}`);
    if (text !== undefined) all.set(`subtask ${subtask}`, shown(Number(text)));
  }
  return all;
}

/** The lowest watermark as a point in time, and how far that is behind. */
function lagText(lowest: number | undefined, at: number, utc: boolean): string {
  if (lowest === undefined) return NONE;
  if (behind(lowest, at) === null) return watermark(lowest, utc);
  return `${watermark(lowest, utc)}${utc ? " UTC" : ""}, ${lag(lowest, at)}${lowest > at ? "" : " behind"}`;
}
