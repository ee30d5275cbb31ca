/** A way through a file from its end to its beginning, piece by piece. */

import { type Line, matching } from "./lines";

/** As much is read at once, bytes; a line that is longer than that may be no longer than `LONGEST`. */
const PIECE = 1024 * 1024;
const LONGEST = 8 * PIECE;

/** One piece after the other, from `end` upwards; `tell` is given what was found in each, and says whether to go on. */
export async function lookUp(
  readRange: (start: number, end: number) => Promise<Uint8Array | null>,
  end: number,
  level: string,
  search: string,
  tell: (lines: Line[], from: number) => boolean,
): Promise<void> {
  let size = PIECE;
  for (let until = end; until > 0;) {
    const start = Math.max(0, until - size);
    const bytes = await readRange(start, until);
    // The file was begun anew, and is shorter.
    if (!bytes || bytes.length < until - start) return void tell([], 0);
    const { lines, from } = matching(bytes, start, level, search);
    if (from >= until && start > 0 && size < LONGEST) {
      size *= 2;
      continue;
    }
    size = PIECE;
    until = from < until ? from : start;
    if (!tell(lines, until)) return;
  }
}
