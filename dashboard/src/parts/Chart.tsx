/** Values over time. uPlot draws them; its size and colours follow the page. */

import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useStore } from "../api/store";
import { dark, zone } from "../app/settings";
import { clock } from "../format/units";

export interface Series {
  name: string;
  /** Of the page's colours: `--series-1` and so on. */
  color?: string;
}

interface Props {
  /** What it shows, in words. */
  label: string;
  /** ms since 1970. */
  times: readonly number[];
  series: readonly Series[];
  /** For each series its values at `times`. */
  values: readonly (readonly (number | null)[])[];
  /** How a value is written. */
  format: (value: number | null | undefined) => string;
  height?: number;
  bars?: boolean;
  /** Values are bytes: the marks of the axis are round in powers of two. */
  binary?: boolean;
}

/** Lines beyond the number of colours have strokes of their own. */
const COLORS = 6;
const STROKES = [[], [6, 3], [2, 3]];

const POWERS = Array.from({ length: 50 }, (_, power) => 2 ** power);

/** Between two marks of the time, s: times are written without fractions. */
const SPANS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400, 604_800];

function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#888";
}

function showLast(chart: uPlot): void {
  const last = chart.data[0].length - 1;
  if (last >= 0) chart.setLegend({ idx: last });
}

export function Chart({ label, times, series, values, format, height = 160, bars = false, binary = false }: Props) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const isDark = useStore(dark);
  const utc = useStore(zone) === "utc";
  const names = series.map(({ name }) => name).join("\n");
  const data = useRef<uPlot.AlignedData>([[]]);
  data.current = [times.map((at) => at / 1000), ...values.map((one) => [...one])] as uPlot.AlignedData;
  const formatted = useRef(format);
  formatted.current = format;

  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    const axis = {
      stroke: color("--text-faint"),
      grid: { stroke: color("--line"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui",
    };
    const made = new uPlot(
      {
        width: Math.max(100, element.clientWidth),
        height,
        cursor: { drag: { x: false, y: false } },
        legend: { live: true },
        // Without a pointer the legend tells the last values.
        hooks: { setCursor: [(chart) => chart.cursor.idx ?? showLast(chart)], ready: [showLast] },
        scales: { x: { time: true }, y: { range: (_, min, max) => [Math.min(0, min), max > 0 ? max * 1.1 : 1] } },
        axes: [
          { ...axis, values: (_, ticks) => ticks.map((tick) => clock(tick * 1000, utc)), space: 80, size: 28, incrs: SPANS },
          { ...axis, values: (_, ticks) => ticks.map((tick) => formatted.current(tick)), size: 72, ...(binary ? { incrs: POWERS } : {}) },
        ],
        series: [
          { label: "time", value: (_, at) => (at === null ? "–" : clock(at * 1000, utc)) },
          ...names.split("\n").map((name, at) => {
            const stroke = color(series[at]?.color ?? `--series-${(at % COLORS) + 1}`);
            return {
              label: name,
              stroke,
              width: 1.5,
              dash: STROKES[Math.floor(at / COLORS) % STROKES.length] ?? [],
              points: { show: bars, size: 5 },
              value: (_: uPlot, value: number | null) => formatted.current(value),
              ...(bars && uPlot.paths.bars ? { paths: uPlot.paths.bars({ size: [0.6, 24] }), fill: stroke, points: { show: false } } : {}),
            };
          }),
        ],
      },
      data.current,
      element,
    );
    plot.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: Math.max(100, element.clientWidth), height }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
      plot.current = null;
    };
    // The names stand for the series; a theme has other colours.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [isDark, utc, names, height, bars, binary]);

  useEffect(() => {
    const chart = plot.current;
    chart?.setData(data.current);
    if (chart && (chart.cursor.idx ?? null) === null) showLast(chart);
  }, [times, values]);

  return <div ref={holder} className="chart" role="img" aria-label={label} />;
}
