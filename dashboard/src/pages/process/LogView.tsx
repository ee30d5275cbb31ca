/** A log file. It is read from its end in pieces: large files are never loaded whole. */

import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { CallError, credentials } from "../../api/client";
import { interval, live } from "../../api/poll";
import { useStore } from "../../api/store";
import { setQuery, useQuery } from "../../app/router";
import { bytes as formatBytes } from "../../format/units";
import { Card, Empty, Failure, Loading } from "../../parts/basic";
import { chosen, firstLine, joined, LEVELS, type Line, linesOf } from "./lines";
import { KEPT, PIECE, read } from "./logs";
import { LIMIT, save, streams } from "./save";
import { missingOf, type Search, useSearch } from "./search";

interface Shown {
  start: number;
  size: number;
  bytes: Uint8Array;
}

interface Props {
  base: string;
  /** The path of the file. */
  file: string;
  name: string;
}

export function LogView({ file, name }: Props) {
  const [shown, setShown] = useState<Shown | null>(null);
  const [error, setError] = useState<CallError>();
  const [follow, setFollow] = useState(true);
  const [level, setLevel] = useQuery("level");
  const [search, setSearch] = useQuery("find");
  /** The line that others were asked to be shown around, by its place in the file. */
  const [around, setAround] = useState<number | null>(null);
  const every = useStore(interval);
  const on = useStore(live);
  const box = useRef<HTMLElement>(null);
  const current = useRef<Shown | null>(null);
  current.current = shown;
  const leave = useRef<(bytes: Uint8Array, start: number, over: number) => void>(() => {});

  const fail = useCallback((failure: unknown) => {
    setError(failure instanceof CallError ? failure : new CallError(String(failure), 0));
  }, []);

  const tail = useCallback(
    async (signal: AbortSignal) => {
      const piece = await read(file, `-${PIECE}`, signal);
      setError(undefined);
      setShown(piece ?? { start: 0, size: 0, bytes: new Uint8Array() });
    },
    [file],
  );

  /** What has been added since. A file that has become shorter was begun anew. */
  const more = useCallback(
    async (signal: AbortSignal) => {
      const before = current.current;
      if (!before) return tail(signal);
      const end = before.start + before.bytes.length;
      // The last byte is asked for again: a part without a byte cannot be named.
      const from = Math.max(0, end - 1);
      const piece = await read(file, `${from}-${from + KEPT}`, signal);
      setError(undefined);
      if (piece === null) {
        if (end > 0) await tail(signal);
        return;
      }
      // Far behind the end, what lies between is left out.
      if (piece.end < piece.size) return tail(signal);
      const added = piece.bytes.subarray(end > 0 ? 1 : 0);
      if (added.length === 0 && piece.size === before.size) return;
      const all = joined(before.bytes, added);
      const over = Math.max(0, all.length - KEPT);
      if (over > 0) leave.current(all, before.start, over);
      setShown({ start: before.start + over, size: piece.size, bytes: over > 0 ? all.slice(over) : all });
    },
    [file, tail],
  );

  useEffect(() => {
    const control = new AbortController();
    tail(control.signal).catch((failure) => !control.signal.aborted && fail(failure));
    return () => control.abort();
  }, [tail, fail]);

  useEffect(() => {
    if (!follow || !on) return;
    const control = new AbortController();
    const timer = setInterval(() => {
      if (!document.hidden) more(control.signal).catch((failure) => !control.signal.aborted && fail(failure));
    }, every);
    return () => {
      control.abort();
      clearInterval(timer);
    };
  }, [follow, on, every, more, fail]);

  const earlier = async () => {
    const before = current.current;
    if (!before || before.start === 0) return;
    setFollow(false);
    try {
      const piece = await read(file, `${Math.max(0, before.start - PIECE)}-${before.start - 1}`);
      if (!piece) return;
      const all = joined(piece.bytes, before.bytes);
      setShown({ start: piece.start, size: piece.size, bytes: all.length > KEPT ? all.slice(0, KEPT) : all });
      box.current?.scrollTo(0, 1);
    } catch (failure) {
      fail(failure);
    }
  };

  const later = async () => {
    const before = current.current;
    if (!before) return;
    const end = before.start + before.bytes.length;
    try {
      const piece = await read(file, `${end}-${end + PIECE - 1}`);
      if (!piece) return setShown({ ...before, size: end });
      const all = joined(before.bytes, piece.bytes);
      const over = Math.max(0, all.length - KEPT);
      setShown({ start: before.start + over, size: piece.size, bytes: over > 0 ? all.slice(over) : all });
    } catch (failure) {
      fail(failure);
    }
  };

  /** Shows a line that was found among those around it. */
  const showAround = async (line: Line) => {
    setFollow(false);
    try {
      const start = Math.max(0, line.at - PIECE / 2);
      const piece = await read(file, `${start}-${start + PIECE - 1}`);
      if (!piece) return;
      setShown(piece);
      setQuery({ level: null, find: null });
      setAround(line.at);
    } catch (failure) {
      fail(failure);
    }
  };

  const lines = useMemo(() => (shown ? linesOf(shown.bytes, shown.start) : []), [shown]);
  const inside = useMemo(() => chosen(lines, level, search), [lines, level, search]);
  const border = shown && firstLine(shown.bytes, shown.start);
  const filtered = level !== "" || search !== "";
  const upwards = useSearch(file, level, search, border, missingOf(inside.length), fail);
  const { found, keep } = upwards;
  const visible = useMemo(() => {
    const above = filtered ? found.filter(({ at }) => at < (border ?? 0)) : [];
    return above.length > 0 ? [...above, ...inside] : inside;
  }, [filtered, found, inside, border]);
  const end = shown ? shown.start + shown.bytes.length : 0;

  // Of what makes place for later lines, those that were looked for stay.
  leave.current = (bytes, start, over) => {
    if (!filtered) return;
    const stays = firstLine(bytes.subarray(over), start + over);
    keep(
      chosen(
        linesOf(bytes, start).filter(({ at }) => at < stays),
        level,
        search,
      ),
    );
  };

  useEffect(() => {
    if (around !== null) box.current?.querySelector(".log-around")?.scrollIntoView({ block: "center" });
  }, [around]);

  useLayoutEffect(() => {
    if (!follow) return;
    const down = () => box.current?.scrollTo(0, box.current.scrollHeight);
    down();
    // The heights of lines that were never seen are guesses: once they are drawn, the end is elsewhere.
    const frame = requestAnimationFrame(() => {
      down();
      requestAnimationFrame(down);
    });
    return () => cancelAnimationFrame(frame);
  }, [visible, follow]);

  return (
    <Card
      title={name}
      actions={
        <>
          {shown && <span className="faint nowrap">{formatBytes(shown.size)}</span>}
          <Download file={file} name={name} size={shown?.size ?? 0} onError={fail} />
        </>
      }
    >
      <div className="log-tools">
        <input
          type="search"
          value={search}
          placeholder="Search"
          aria-label="Search the log"
          onChange={(event) => {
            setSearch(event.target.value);
            setAround(null);
          }}
        />
        <label>
          Level
          <select value={level} onChange={(event) => setLevel(event.target.value)}>
            <option value="">all</option>
            {LEVELS.map((one) => (
              <option key={one} value={one}>
                {one === "ERROR" ? "error" : `${one.toLowerCase()} and above`}
              </option>
            ))}
          </select>
        </label>
        <label className="check">
          <input type="checkbox" checked={follow} onChange={(event) => setFollow(event.target.checked)} />
          <span>Follow</span>
        </label>
        {filtered && shown && <Progress search={upwards} lines={visible.length} size={shown.size} />}
      </div>
      <Failure error={error} what="The log" />
      {!shown && !error && <Loading />}
      {shown && lines.length === 0 && <Empty>Empty.</Empty>}
      {shown && lines.length > 0 && (
        <section
          className="log"
          tabIndex={0}
          aria-label={name}
          aria-busy={upwards.running}
          ref={box}
          onWheel={(event) => event.deltaY < 0 && setFollow(false)}
          onTouchMove={() => setFollow(false)}
          onKeyDown={(event) => UPWARDS.has(event.key) && setFollow(false)}
        >
          {!filtered && shown.start > 0 && (
            <button type="button" className="quiet" onClick={earlier}>
              Show earlier lines ({formatBytes(shown.start)} before these)
            </button>
          )}
          {filtered && !upwards.running && upwards.from !== null && upwards.from > 0 && (
            <button type="button" className="quiet" onClick={upwards.go}>
              Search further up ({formatBytes(upwards.from)} before these)
            </button>
          )}
          {visible.map((line) => (
            <LogLine key={line.at} line={line} search={search} marked={line.at === around} onAround={filtered ? showAround : undefined} />
          ))}
          {visible.length === 0 && !upwards.running && <Empty>No line matches.</Empty>}
          {!filtered && end < shown.size && (
            <button type="button" className="quiet" onClick={later}>
              Show later lines ({formatBytes(shown.size - end)} after these)
            </button>
          )}
        </section>
      )}
    </Card>
  );
}

/** Keys that lead away from the end. */
const UPWARDS = new Set(["ArrowUp", "PageUp", "Home"]);

/** How many lines were found, and how far it was looked. */
function Progress({ search, lines, size }: { search: Search; lines: number; size: number }) {
  const { from, running, stop } = search;
  const looked = from === null ? 0 : Math.max(0, size - from);
  return (
    <>
      <span className="faint" role="status">
        {lines === 1 ? "1 line" : `${lines} lines`}
        {from !== null && from > 0 && ` in the last ${formatBytes(looked)} of ${formatBytes(size)}`}
        {from === 0 && " in the whole file"}
      </span>
      {running && (
        <>
          <progress value={looked} max={Math.max(1, size)} aria-label="how much of the file was looked at" />
          <button type="button" className="quiet" onClick={stop}>
            Stop
          </button>
        </>
      )}
    </>
  );
}

interface LogLineProps {
  line: Line;
  search: string;
  marked: boolean;
  onAround: ((line: Line) => void) | undefined;
}

function LogLine({ line, search, marked: isMarked, onAround }: LogLineProps) {
  return (
    <div className={`log-line ${line.level ? `log-${line.level.toLowerCase()}` : ""} ${isMarked ? "log-around" : ""}`}>
      {onAround && (
        <button
          type="button"
          className="quiet log-place"
          title="show the lines around"
          aria-label="show the lines around"
          onClick={() => onAround(line)}
        >
          ⋯
        </button>
      )}
      {marked(line.text, search)}
    </div>
  );
}

function marked(text: string, search: string) {
  const at = search === "" ? -1 : text.toLowerCase().indexOf(search.toLowerCase());
  if (at < 0) return text || " ";
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + search.length)}</mark>
      {text.slice(at + search.length)}
    </>
  );
}

/** The browser saves the file as it comes; only a token that must be sent along needs a script. */
function Download({ file, name, size, onError }: { file: string; name: string; size: number; onError: (failure: unknown) => void }) {
  const [saving, setSaving] = useState(false);
  const saved = `${name.replaceAll("/", "_")}${/\.\w+$/.test(name) ? "" : ".txt"}`;
  if (!credentials().Authorization) {
    return (
      <a className="button" href={file} download={saved}>
        Download
      </a>
    );
  }
  const begin = () => {
    setSaving(true);
    save(file, saved)
      .catch(onError)
      .finally(() => setSaving(false));
  };
  return (
    <>
      {!streams() && size > LIMIT && <span className="faint">the last {formatBytes(LIMIT)} of it:</span>}
      <button type="button" disabled={saving} onClick={begin}>
        {saving ? "Saving…" : "Download"}
      </button>
    </>
  );
}
