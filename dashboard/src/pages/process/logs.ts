/** Parts of a log file: read from its end, further to its beginning, and what is added to it. */

import { CallError, request } from "../../api/client";

/** As much is read at once. */
export const PIECE = 128 * 1024;

/** As much is kept on the page; what is farthest from where the reader is goes first. */
export const KEPT = 2 * 1024 * 1024;

export interface Piece {
  /** Where it begins in the file, bytes. */
  start: number;
  /** Where it ends. */
  end: number;
  /** The size of the file. */
  size: number;
  bytes: Uint8Array;
}

/** Reads a range as the header `Range` names it; `null`: the file has no such part. */
export async function read(file: string, range: string, signal?: AbortSignal): Promise<Piece | null> {
  const init: RequestInit = { headers: { Range: `bytes=${range}` } };
  if (signal) init.signal = signal;
  let response: Response;
  try {
    response = await request(file, init);
  } catch (error) {
    if (error instanceof CallError && error.status === 416) return null;
    throw error;
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  const found = /bytes (\d+)-(\d+)\/(\d+)/.exec(response.headers.get("Content-Range") ?? "");
  if (!found) return { start: 0, end: bytes.length, size: bytes.length, bytes };
  const start = Number(found[1]);
  return { start, end: start + bytes.length, size: Number(found[3]), bytes };
}
