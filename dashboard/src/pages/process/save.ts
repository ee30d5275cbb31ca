/**
 * Saves a file that only a script may fetch, since a token must be sent along. Where the browser lets a page write to a file that the reader
 * has chosen, it goes there as it comes. Elsewhere it is kept until it is whole, in pieces, and no more than its end.
 */

import { request } from "../../api/client";
import { read } from "./logs";

/** As much is saved where the browser has to keep all of it first, bytes. */
export const LIMIT = 256 * 1024 * 1024;

/** As much is read at once, bytes. */
const PART = 8 * 1024 * 1024;

interface Picker {
  showSaveFilePicker?: (options: { suggestedName: string }) => Promise<{ createWritable: () => Promise<WritableStream<Uint8Array>> }>;
}

/** Whether a file of any size can be saved. */
export function streams(): boolean {
  return "showSaveFilePicker" in window;
}

/** Asks where to save `file`, and does it. */
export async function save(file: string, name: string): Promise<void> {
  const picker = (window as Picker).showSaveFilePicker;
  if (!picker) return keep(file, name);
  let target;
  try {
    target = await picker({ suggestedName: name });
  } catch (error) {
    // The reader wants no file after all.
    if (error instanceof DOMException && error.name === "AbortError") return;
    throw error;
  }
  const { body } = await request(file);
  const writable = await target.createWritable();
  await (body ? body.pipeTo(writable) : writable.close());
}

/** The parts of the end of a file of `size` bytes, as the header `Range` names them. */
export function partsOf(size: number, limit = LIMIT, part = PART): string[] {
  const parts: string[] = [];
  for (let start = Math.max(0, size - limit); start < size; start += part) parts.push(`${start}-${Math.min(start + part, size) - 1}`);
  return parts;
}

/** A browser may keep the parts of a blob on its disk: none of them is held here. */
async function keep(file: string, name: string): Promise<void> {
  const end = await read(file, "-1");
  const parts: Blob[] = [];
  for (const range of partsOf(end?.size ?? 0)) {
    const piece = await read(file, range);
    if (!piece) break;
    parts.push(new Blob([piece.bytes as Uint8Array<ArrayBuffer>]));
  }
  const url = URL.createObjectURL(new Blob(parts, { type: "text/plain" }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  // The browser takes it up after the click.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
