/** Where a vertex reads from outside the job, and where it gives to. */

import type { PlanNode } from "../../api/types";
import { operatorsOf } from "../../graph/model";

/** Which way a vertex has to the outside of the job. */
export interface Ends {
  /** The operator that reads from outside; `null`: the vertex has inputs. */
  source: string | null;
  /** The operator that gives to the outside; `null`: another vertex reads what it sends. */
  sink: string | null;
}

/** Of a source nobody counts what it receives but its operator, which sends it on; of a sink it is the other way round. */
export function endsOf(nodes: readonly PlanNode[], vertex: string): Ends {
  const node = nodes.find(({ id }) => id === vertex);
  const operators = operatorsOf(node?.description ?? "");
  const read = nodes.some(({ inputs }) => inputs?.some(({ id }) => id === vertex));
  return {
    source: node && !node.inputs?.length ? (operators[0] ?? null) : null,
    sink: node && !read ? (operators.at(-1) ?? null) : null,
  };
}

/** The name of an operator as part of the name of a metric. */
export function identifier(operator: string): string {
  return operator.replace(/[ .:,]/g, "_");
}
