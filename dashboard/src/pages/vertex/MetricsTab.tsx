/** Any metric of a vertex over time. Values are kept from when it was chosen. */

import { useMemo, useRef } from "react";
import { usePolled } from "../../api/poll";
import type { Metric } from "../../api/types";
import { useQuery } from "../../app/router";
import { metric } from "../../format/units";
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
      <label className="metric-choice">
        Add a metric
        <select
          value=""
          onChange={(event) => {
            if (event.target.value) choose([...list, event.target.value].join(","));
          }}
        >
          <option value="">{known.length} metrics…</option>
          {known
            .filter((id) => !list.includes(id))
            .map((id) => (
              <option key={id}>{id}</option>
            ))}
        </select>
      </label>
      <Failure error={values.error} what="The values" />
      {list.length === 0 && <Empty>Choose a metric.</Empty>}
      <div className="charts">
        {list.map((id) => (
          <MetricChart
            key={id}
            id={id}
            value={values.data?.find((one) => one.id === id)}
            at={values.at}
            onRemove={() => choose(list.filter((one) => one !== id).join(",") || ",")}
          />
        ))}
      </div>
    </>
  );
}

function MetricChart({ id, value, at, onRemove }: { id: string; value: Aggregate | undefined; at: number; onRemove: () => void }) {
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
      <figcaption>
        <code>{id}</code>
        <b>{metric(id, lines[0]?.at(-1))}</b>
        <button type="button" className="quiet small" aria-label={`remove ${id}`} onClick={onRemove}>
          ✕
        </button>
      </figcaption>
      {times.length > 1 ? (
        <Chart label={`${id} over time`} times={times} values={lines} series={series} format={(one) => metric(id, one)} height={130} />
      ) : (
        <p className="faint chart-wait">The line begins with the second value.</p>
      )}
    </figure>
  );
}
