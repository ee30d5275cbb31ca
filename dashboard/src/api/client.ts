/** Calls of the REST server, and what is known of the connection to it. */

import { heardTime, now } from "./clock";
import { call, takeEarly, timesOf, token } from "./early";
import { Store } from "./store";

export { credentials } from "./early";

/** A call that was answered with an error, or not at all. */
export class CallError extends Error {
  constructor(
    message: string,
    /** The HTTP status; 0 if nothing was answered. */
    readonly status: number,
  ) {
    super(message);
  }
}

export interface Connection {
  /** When the server last answered, ms since 1970 by its clock. */
  heardAt: number;
  /** Since when it does not. */
  lostAt: number | null;
}

export const connection = new Store<Connection>({ heardAt: now(), lostAt: null });

export interface Session {
  /** Whether the server has asked who is there. */
  login: boolean;
  token: string | null;
}

export const session = new Store<Session>({ login: false, token: token.read() });

/** Keeps a token for this tab, or forgets it. */
export function setToken(text: string | null): void {
  token.write(text);
  session.set({ login: false, token: text });
}

function heard(): void {
  connection.set({ heardAt: now(), lostAt: null });
}

function lost(): void {
  const { heardAt, lostAt } = connection.get();
  if (lostAt === null) connection.set({ heardAt, lostAt: heardAt });
}

const HALF_A_SECOND = 500;

/** An answer says what time it is. */
function heardOf(response: Response, at: unknown, coarse = 0): void {
  const times = timesOf(response);
  if (times && typeof at === "number") heardTime(at, ...times, coarse);
}

/** Sends a request; gives the answer if its status is a good one. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const asker = session.get().token;
  let response: Response;
  try {
    response = await ((init.method ? undefined : takeEarly(path)) ?? call(path, init));
  } catch (error) {
    if (init.signal?.aborted) throw error;
    lost();
    throw new CallError("the JobManager cannot be reached", 0);
  }
  if (response.type === "opaqueredirect") {
    followLeader();
    throw new CallError("another JobManager leads now", 0);
  }
  // A header has whole seconds.
  heardOf(response, Date.parse(response.headers.get("Date") ?? "") + HALF_A_SECOND, HALF_A_SECOND);
  heard();
  if (response.ok) return response;
  // Whoever has logged in meanwhile is known.
  if (response.status === 401 && session.get().token === asker) session.set({ login: true, token: asker });
  throw new CallError(await reason(response), response.status);
}

/** The least time between two attempts to find the JobManager that leads, ms. */
const LEADER_MS = 5000;

/** Another JobManager leads: the page is loaded again, and the server sends it there. */
function followLeader(): void {
  const last = Number(sessionStorage.getItem("flott.followed") ?? 0);
  if (Date.now() - last < LEADER_MS) return;
  sessionStorage.setItem("flott.followed", String(Date.now()));
  window.location.reload();
}

async function reason(response: Response): Promise<string> {
  const text = await response.text().catch(() => "");
  try {
    const body = JSON.parse(text) as { errors?: string[] };
    if (body.errors?.length) return body.errors.join("\n");
  } catch {
    // Not JSON: a proxy has answered.
  }
  return text.slice(0, 300) || `the server answered with status ${response.status}`;
}

/** `GET path`, as JSON. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, signal ? { signal } : {});
  const answer = (await response.json()) as T;
  heardOf(response, (answer as { now?: unknown } | null)?.now);
  return answer;
}

/** Another method than GET, with a JSON body. */
export async function send<T>(method: string, path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method };
  if (body !== undefined) Object.assign(init, { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  const response = await request(path, init);
  const text = await response.text();
  return (text ? JSON.parse(text) : {}) as T;
}
