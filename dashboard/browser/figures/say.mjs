/** How figures are told. */

export const median = (values) => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];

/** One line: what was measured, its value, and the goal where there is one. */
export function said(what, value, goal, reached) {
  const verdict = goal === undefined ? "" : ` (goal: ${goal}; ${reached ? "reached" : "MISSED"})`;
  console.log(`${what}: ${value}${verdict}`);
}
