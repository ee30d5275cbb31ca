/** Numbers as people read them. An unknown value is a dash. */

export const NONE = "–";

type Maybe = number | null | undefined;

function known(value: Maybe): value is number {
  return value !== null && value !== undefined && Number.isFinite(value);
}

/** At most three digits that matter. */
function short(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return trimmed(value.toFixed(1));
  return trimmed(value.toFixed(2));
}

function trimmed(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let size = value;
  let unit = 0;
  while (Math.abs(size) >= base && unit < units.length - 1) {
    size /= base;
    unit += 1;
  }
  // 999.9 would be shown as 1000.
  if (Number(short(size)) >= base && unit < units.length - 1) {
    size /= base;
    unit += 1;
  }
  return `${short(size)}${units[unit] ? ` ${units[unit]}` : ""}`;
}

/** A number of things, in full: `1 234 567`. */
export function count(value: Maybe): string {
  if (!known(value)) return NONE;
  return Math.round(value).toLocaleString("en").replaceAll(",", "\u202f");
}

/** A number of things, short: `1.23 M`. */
export function compact(value: Maybe): string {
  if (!known(value)) return NONE;
  return scaled(value, 1000, ["", "k", "M", "G", "T"]);
}

/** Things a second: `2.7 k/s`. */
export function rate(value: Maybe): string {
  if (!known(value)) return NONE;
  if (value > 0 && value < 0.01) return "<0.01/s";
  return `${compact(value)}/s`;
}

/** `1.5 MiB` */
export function bytes(value: Maybe): string {
  if (!known(value) || value < 0) return NONE;
  if (value < 1024) return `${Math.round(value)} B`;
  return scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
}

export function byteRate(value: Maybe): string {
  return known(value) ? `${bytes(value)}/s` : NONE;
}

/** A share between 0 and 1. */
export function percent(share: Maybe): string {
  if (!known(share)) return NONE;
  if (share > 0 && share < 0.01) return "<1 %";
  return `${Math.round(share * 100)} %`;
}

const UNITS: readonly [number, string][] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
];

/** A time span of so many ms: `850 ms`, `1.2 s`, `3 min 20 s`, `2 d 4 h`. */
export function duration(ms: Maybe): string {
  if (!known(ms) || ms < 0) return NONE;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${trimmed((Math.floor(ms / 100) / 10).toFixed(1))} s`;
  const place = UNITS.findIndex(([size]) => ms >= size);
  const [size, unit] = UNITS[place] ?? [1000, "s"];
  const whole = Math.floor(ms / size);
  const next = UNITS[place + 1];
  if (!next) return `${whole} ${unit}`;
  const rest = Math.floor((ms - whole * size) / next[0]);
  return rest > 0 ? `${whole} ${unit} ${rest} ${next[1]}` : `${whole} ${unit}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** A point in time, `2026-11-22 13:53:36`. */
export function time(ms: Maybe, utc: boolean): string {
  if (!known(ms) || ms <= 0) return NONE;
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return NONE;
  if (utc) return date.toISOString().slice(0, 19).replace("T", " ");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** The time of day alone. */
export function clock(ms: Maybe, utc: boolean): string {
  const text = time(ms, utc);
  return text === NONE ? NONE : text.slice(11);
}

/** `12 s ago`; less than a second is nothing to measure, since nobody asks that often. */
export function ago(ms: Maybe, now: number): string {
  if (!known(ms) || ms <= 0) return NONE;
  if (now - ms < 1000) return "just now";
  return `${duration(Math.max(0, now - ms))} ago`;
}

/** How far a watermark is behind; Flink's "no more" is no lag. */
export function lag(watermark: Maybe, now: number): string {
  if (!known(watermark)) return NONE;
  if (watermark >= 9e18) return "end of input";
  if (watermark <= -9e18) return "none yet";
  return watermark > now ? `${duration(watermark - now)} ahead` : duration(now - watermark);
}

/** Whether a metric is a point in event time. */
export function isWatermark(name: string): boolean {
  return /Watermark$/.test(name);
}

/** A watermark as a point in time. The least number stands for "none yet", the greatest for "no more". */
export function watermark(at: Maybe, utc: boolean): string {
  if (!known(at)) return NONE;
  if (at < -9e18) return "none yet";
  return at > 9e18 ? "end of input" : time(at, utc);
}

/** How far a watermark is behind, ms; `null` where it is no time. */
export function behind(at: Maybe, now: number): number | null {
  return known(at) && Math.abs(at) < 9e18 ? now - at : null;
}

/** The value of a metric by the unit that its name tells. */
export function metric(name: string, value: Maybe): string {
  if (!known(value)) return NONE;
  const last = name.slice(name.lastIndexOf(".") + 1);
  if (isWatermark(last)) return watermark(value, true) + (Math.abs(value) < 9e18 ? " UTC" : "");
  // The only one that is counted in ns.
  if (name === "Status.JVM.CPU.Time") return duration(value / 1e6);
  if (name === "Status.JVM.CPU.Load") return percent(value);
  if (/TimeMsPerSecond$/.test(last)) return percent(value / 1000);
  if (/Bytes.*PerSecond$/i.test(last)) return byteRate(value);
  if (/PerSecond$/.test(last)) return rate(value);
  if (/TimeMs$|Duration$|[Tt]ime$/.test(last)) return duration(value);
  if (/Bytes|Size$/.test(last) || /\.Memory\./.test(name)) return bytes(value);
  return compact(value);
}
