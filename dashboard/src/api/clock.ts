/** The time of the server. The browser's clock may be wrong, and what is told of the past and of lags is the server's. */

export interface Offset {
  /** How far the server is ahead of the browser, ms. */
  ahead: number;
  /** How far off that may be, ms; infinite while nothing is known. */
  error: number;
}

/** What a call tells: the server said `at`, some time between the two times of the browser. `coarse` is how far `at` itself may be off. */
export function offsetOf(at: number, sent: number, received: number, coarse = 0): Offset {
  return { ahead: at - (sent + received) / 2, error: (received - sent) / 2 + coarse };
}

/** The better of what is known and what is new: what is new if it is as exact, or if what is known can no longer be right. */
export function better(known: Offset, fresh: Offset): Offset {
  return fresh.error <= known.error || Math.abs(fresh.ahead - known.ahead) > fresh.error + known.error ? fresh : known;
}

let offset: Offset = { ahead: 0, error: Number.POSITIVE_INFINITY };

/** Notes a time that the server has told. */
export function heardTime(at: number, sent: number, received: number, coarse = 0): void {
  if (Number.isFinite(at) && at > 0) offset = better(offset, offsetOf(at, sent, received, coarse));
}

/** Now, by the server's clock, ms since 1970. */
export function now(): number {
  return Math.round(Date.now() + offset.ahead);
}
