/** A log file. It is read from its end in pieces: large files are never loaded whole. */

import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { CallError, credentials } from "../../api/client";
import { interval, live } from "../../api/poll";
import { useStore } from "../../api/store";
import { useQuery } from "../../app/router";
import { bytes as formatBytes } from "../../format/units";
import { Card, Empty, Failure, Loading } from "../../parts/basic";
import { chosen, joined, LEVELS, type Line, linesOf } from "./lines";
import { KEPT, PIECE, read } from "./logs";
import { LIMIT, save, streams } from "./save";

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
  const [found, setFound] = useState<string>("");
  const every = useStore(interval);
  const on = useStore(live);
  const box = useRef<HTMLElement>(null);
  const current = useRef<Shown | null>(null);
  current.current = shown;

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
      const piece = await read(file, `${Math.max(0, end - 1)}-`, signal);
      setError(undefined);
      if (piece === null) {
        if (end > 0) await tail(signal);
        return;
      }
      const added = piece.bytes.subarray(end > 0 ? 1 : 0);
      if (added.length === 0 && piece.size === before.size) return;
      const all = joined(before.bytes, added);
      const over = Math.max(0, all.length - KEPT);
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

  /** Looks for the text from the end of what is not loaded to the beginning of the file, and shows the place. */
  const searchEarlier = async () => {
    const before = current.current;
    const wanted = search.toLowerCase();
    if (!before || wanted === "") return;
    setFollow(false);
    setFound("searching…");
    try {
      for (let end = before.start; end > 0;) {
        const start = Math.max(0, end - PIECE * 4);
        const piece = await read(file, `${start}-${end - 1}`);
        if (!piece) break;
        if (new TextDecoder().decode(piece.bytes).toLowerCase().includes(wanted)) {
          setShown(piece);
          setFound(`found ${formatBytes(piece.start)} into the file`);
          return;
        }
        // A match may lie across the border.
        end = start === 0 ? 0 : start + wanted.length;
      }
      setFound("not further up");
    } catch (failure) {
      fail(failure);
    }
  };

  const lines = useMemo(() => (shown ? linesOf(shown.bytes, shown.start) : []), [shown]);
  const visible = useMemo(() => chosen(lines, level, search), [lines, level, search]);

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
            setFound("");
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
        {search !== "" && shown && shown.start > 0 && (
          <button type="button" className="quiet" onClick={searchEarlier}>
            Search further up
          </button>
        )}
        <span className="faint" role="status">
          {search !== "" ? `${visible.length} of ${lines.length} lines. ${found}` : found}
        </span>
      </div>
      <Failure error={error} what="The log" />
      {!shown && !error && <Loading />}
      {shown && lines.length === 0 && <Empty>Empty.</Empty>}
      {shown && lines.length > 0 && (
        <section className="log" tabIndex={0} aria-label={name} ref={box} onWheel={(event) => event.deltaY < 0 && setFollow(false)}>
          {shown.start > 0 ? (
            <button type="button" className="quiet" onClick={earlier}>
              Show earlier lines ({formatBytes(shown.start)} before these)
            </button>
          ) : null}
          {visible.map((line) => (
            <LogLine key={line.at} line={line} search={search} />
          ))}
          {visible.length === 0 && <Empty>No line matches.</Empty>}
        </section>
      )}
    </Card>
  );
}

function LogLine({ line, search }: { line: Line; search: string }) {
  return <div className={`log-line ${line.level ? `log-${line.level.toLowerCase()}` : ""}`}>{marked(line.text, search)}</div>;
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
