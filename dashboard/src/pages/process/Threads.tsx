/** What each thread of a process is doing: equal stacks together, long ones folded. */

import { useMemo } from "react";
import { usePolled } from "../../api/poll";
import type { ThreadDump } from "../../api/types";
import { useQuery } from "../../app/router";
import { shownName } from "../../graph/model";
import { Ago, Card, Empty, Failure, Loading } from "../../parts/basic";
import { groupsOf, has, type ThreadGroup } from "./threads";

/** As many calls are shown at once; the others when they are asked for, or have what is searched for. */
const SHOWN = 6;

export function Threads({ base }: { base: string }) {
  const { data, error, at } = usePolled<ThreadDump>(`${base}/thread-dump`, 3);
  const [search, setSearch] = useQuery("threads.search");
  const [single, setSingle] = useQuery("threads.single");
  const groups = useMemo(() => groupsOf(data?.threadInfos ?? [], single === ""), [data, single]);
  const wanted = search.trim();
  const found = useMemo(() => (wanted ? groups.filter((group) => has(group, wanted)) : groups), [groups, wanted]);
  if (!data) return error ? <Failure error={error} what="The threads" /> : <Loading />;
  const threads = found.reduce((sum, group) => sum + group.threads, 0);
  return (
    <Card
      title={`${data.threadInfos.length} threads`}
      actions={
        <span className="faint">
          <Ago at={at} />
        </span>
      }
    >
      <Failure error={error} what="The threads" />
      <div className="choices">
        <input
          type="search"
          className="search"
          value={search}
          placeholder="Search names and calls"
          aria-label="Search threads"
          onChange={(event) => setSearch(event.target.value)}
        />
        <label className="check">
          <input type="checkbox" checked={single === ""} onChange={(event) => setSingle(event.target.checked ? "" : "1")} />
          <span>Equal stacks together</span>
        </label>
        <span className="faint" role="status">
          {wanted !== "" && `${threads} of ${data.threadInfos.length} threads`}
        </span>
      </div>
      {found.length === 0 &&
        (data.threadInfos.length === 0 ? <Empty>The process tells of no thread.</Empty> : <Empty>Nothing matches.</Empty>)}
      <ul className="stacks">
        {found.map((group) => (
          <li key={group.key}>
            <Stack group={group} search={wanted} />
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** As many names stand in a line; a pool has many. */
const NAMES = 12;

function Stack({ group: { names, threads, doing, frames }, search }: { group: ThreadGroup; search: string }) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = frames.slice(0, SHOWN);
  const rest = frames.slice(SHOWN);
  const inside = rest.some((frame) => words.some((word) => frame.toLowerCase().includes(word)));
  const missing = names.length - NAMES;
  return (
    <>
      <p className="stack-head">
        {threads > 1 && <span className="count">{threads} threads</span>}
        <span className="stack-names">
          {names.slice(0, NAMES).map(([name, number]) => (
            <code key={name} className="strong">
              {shownName(name)}
              {number > 1 && threads > number && <span className="faint"> ×{number}</span>}
            </code>
          ))}
          {missing > 0 && (
            <span className="faint" title={names.map(([name]) => name).join("\n")}>
              and {missing} more names
            </span>
          )}
        </span>
        <span className="faint">{doing || "does not tell what it does"}</span>
      </p>
      {shown.length > 0 && <Frames frames={shown} words={words} />}
      {rest.length > 0 && (
        // It is open as long as what is searched for is in it.
        <details key={String(inside)} open={inside}>
          <summary>{rest.length === 1 ? "1 more call" : `${rest.length} more calls`}</summary>
          <Frames frames={rest} words={words} />
        </details>
      )}
    </>
  );
}

function Frames({ frames, words }: { frames: readonly string[]; words: readonly string[] }) {
  return (
    <pre className="frames">
      {frames.map((frame, at) => {
        const [, call = frame, place] = /^(.*\S)\s+\(([^()]*:\d+)\)$/.exec(frame) ?? [];
        const isFound = words.some((word) => frame.toLowerCase().includes(word));
        return (
          <span key={at} className="call">
            {isFound ? <mark>{call}</mark> : call}
            {place && <span className="faint"> {place}</span>}
            {"\n"}
          </span>
        );
      })}
    </pre>
  );
}
