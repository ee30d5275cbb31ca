/** A TaskManager by its name. One that is gone has no pages any more. */

import { usePolled } from "../api/poll";
import type { TaskManager } from "../api/types";
import { href } from "../app/router";
import { NONE } from "../format/units";

/** Where a task runs that is nowhere yet. */
const UNASSIGNED = "(unassigned)";

export function Host({ id }: { id: string }) {
  const there = usePolled<{ taskmanagers: TaskManager[] }>("taskmanagers", 5).data?.taskmanagers;
  if (!id || id === UNASSIGNED) return <span className="faint">{NONE}</span>;
  if (there?.some((one) => one.id === id)) return <a href={href(["task-managers", id, "log"])}>{id}</a>;
  return (
    <span>
      {id}
      {there && <span className="faint"> (gone)</span>}
    </span>
  );
}
