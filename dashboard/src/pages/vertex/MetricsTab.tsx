/** Any metric of a vertex over time. Values are kept from when it was chosen. */

import { type ChangeEvent, type FormEvent, useId, useMemo, useRef, useState } from "react";
import { usePolled } from "../../api/poll";
import { useStore } from "../../api/store";
import type { Metric } from "../../api/types";
import { useQuery } from "../../app/router";
import { zone } from "../../app/settings";
import { behind, duration, isWatermark, lag, metric, NONE, watermark } from "../../format/units";
import { Empty, Failure, Loading } from "../../parts/basic";
import { later } from "../../parts/later";

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

export function MetricsTab({ path }: { path: string }) {
  const names = usePolled<Metric[]>(`${path}/subtasks/metrics`, 10);
  const [chosen, choose] = useQuery("metrics", USUAL);
  const list = useMemo(() => chosen.split(",").filter(Boolean), [chosen]);
  const values = usePolled<Aggregate[]>(list.length > 0 ? `${path}/subtasks/metrics?get=${encodeURIComponent(list.join(","))}` : null);
  if (!names.data) return names.error ? <Failure error={names.error} what="The metrics" /> : <Loading />;
  const known = names.data.map(({ id }) => id);
  return (
    <>
      <Picker known={known.filter((id) => !list.includes(id))} onPick={(id) => choose([...list, id].join(","))} />
      <Failure error={values.error} what="The values" />
      {list.length === 0 && <Empty>Choose a metric.</Empty>}
      <div className="charts">
        {list.map((id) => {
          const one = { id, value: values.data?.find((value) => value.id === id), at: values.at };
          const remove = () => choose(list.filter((other) => other !== id).join(",") || ",");
          return isWatermark(id) ? (
            <WatermarkChart key={id} {...one} onRemove={remove} />
          ) : (
            <MetricChart key={id} {...one} onRemove={remove} />
          );
        })}
      </div>
    </>
  );
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

interface ChartProps {
  id: string;
  value: Aggregate | undefined;
  at: number;
  onRemove: () => void;
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

const LAGS = [{ name: "furthest behind" }, { name: "least behind" }];

/** Chart and legend show spans; what is ahead has no dash either. */
const span = (ms: number | null | undefined) => (typeof ms === "number" && ms < 0 ? `${duration(-ms)} ahead` : duration(ms));

/** Watermarks are points in time: what is drawn is how far they are behind. */
function WatermarkChart({ id, value, at, onRemove }: ChartProps) {
  const utc = useStore(zone) === "utc";
  const past = useRef<{ times: number[]; most: (number | null)[]; least: (number | null)[] }>({ times: [], most: [], least: [] });
  const { times, lines } = useMemo(() => {
    const all = past.current;
    if (value && all.times.at(-1) !== at) {
      all.times = [...all.times, at].slice(-KEPT);
      all.most = [...all.most, behind(value.min, at)].slice(-KEPT);
      all.least = [...all.least, behind(value.max, at)].slice(-KEPT);
    }
    return { times: all.times, lines: [all.most, all.least] };
  }, [value, at]);
  const lowest = value?.min;
  const isTime = behind(lowest, at) !== null;
  const words =
    lowest === undefined
      ? NONE
      : `${watermark(lowest, utc)}${isTime ? `${utc ? " UTC" : ""}, ${lag(lowest, at)}${(lowest ?? 0) > at ? "" : " behind"}` : ""}`;
  return (
    <figure>
      <Head id={id} now={words} onRemove={onRemove} />
      {!isTime && lines[1]?.at(-1) === null ? (
        <p className="faint chart-wait">A line is drawn while the watermark is a point in time.</p>
      ) : times.length > 1 ? (
        <Chart label={`lag of ${id} over time`} times={times} values={lines} series={LAGS} format={span} height={130} />
      ) : (
        <p className="faint chart-wait">The line begins with the second value.</p>
      )}
    </figure>
  );
}

function MetricChart({ id, value, at, onRemove }: ChartProps) {
  const past = useRef<{ times: number[]; sum: number[]; min: number[]; max: number[] }>({ times: [], sum: [], min: [], max: [] });
  const additive = /num|records|bytes/i.test(id.slice(id.lastIndexOf(".") + 1));
  const { times, lines } = useMemo(() => {
    const all = past.current;
    if (value && all.times.at(-1) !== at) {
      all.times = [...all.times, at].slice(-KEPT);
      all.sum = [...all.sum, additive ? value.sum : value.avg].slice(-KEPT);
      all.min = [...all.min, value.min].slice(-KEPT);
      all.max = [...all.max, value.max].slice(-KEPT);
    }
    return { times: all.times, lines: [all.sum, all.min, all.max] };
  }, [value, at, additive]);
  const series = useMemo(() => [{ name: additive ? "all" : "average" }, { name: "lowest" }, { name: "highest" }], [additive]);
  return (
    <figure>
      <Head id={id} now={metric(id, lines[0]?.at(-1))} onRemove={onRemove} />
      {times.length > 1 ? (
        <Chart label={`${id} over time`} times={times} values={lines} series={series} format={(one) => metric(id, one)} height={130} />
      ) : (
        <p className="faint chart-wait">The line begins with the second value.</p>
      )}
    </figure>
  );
}
