/**
 * Calls that are sent before the page is there: what its address will need is known before its scripts are. They go out beside the scripts
 * rather than after them. Nothing here imports anything large, since it runs first.
 */

const TOKEN = "flott.token";

/** What is kept of the reader's token in this tab. */
export const token = {
  read: (): string | null => sessionStorage.getItem(TOKEN),
  write: (text: string | null): void => (text === null ? sessionStorage.removeItem(TOKEN) : sessionStorage.setItem(TOKEN, text)),
};

/** Headers that say who asks. */
export function credentials(): Record<string, string> {
  const known = token.read();
  return known === null ? {} : { Authorization: `Bearer ${known}` };
}

/** When a request was sent and its answer begun, by the browser's clock. */
const times = new WeakMap<Response, readonly [sent: number, received: number]>();

export const timesOf = (response: Response) => times.get(response);

/** `fetch`, as every call of the page is sent: without credentials of its own the browser does not ask for a password, the page does. */
export async function call(path: string, init: RequestInit = {}): Promise<Response> {
  const sent = Date.now();
  const response = await fetch(path, { ...init, redirect: "manual", credentials: "omit", headers: { ...credentials(), ...init.headers } });
  times.set(response, [sent, Date.now()]);
  return response;
}

/** An answer that nobody has taken within this time is no news any more, ms. */
const FRESH_MS = 3000;

const sent = new Map<string, { at: number; asker: string | null; answer: Promise<Response> }>();

/** The calls that the page behind an address begins with. */
export function callsOf(hash: string): string[] {
  const [, section = "overview", id = "", tab = "overview"] =
    /^#?\/?([^/?]*)\/?([^/?]*)\/?([^/?]*)/.exec(hash)?.map((part) => part || undefined) ?? [];
  if (section === "overview") return ["overview", "jobs/overview", "jobs/flow"];
  if (section !== "jobs") return [];
  if (!/^[0-9a-f]{32}$/.test(id)) return ["jobs/overview", "jobs/flow"];
  const calls = [`jobs/${id}`, `jobs/${id}/exceptions?maxExceptions=20`];
  return tab === "overview" ? [...calls, `jobs/${id}/flow`] : calls;
}

/** Whether the page behind an address begins with the graph of a job. */
export const hasGraph = (hash: string): boolean => callsOf(hash).some((call) => /^jobs\/[0-9a-f]{32}\/flow$/.test(call));

/** Whether the page behind an address needs more than lists and the graph of a job. */
export const hasRest = (hash: string): boolean => /[?&]vertex=/.test(hash) || !(hasGraph(hash) || callsOf(hash).includes("jobs/overview"));

/** Sends the calls of the page behind an address. */
export function sendEarly(hash: string): void {
  const asker = token.read();
  const who = asker === null ? [] : ["auth/whoami"];
  for (const path of [...callsOf(hash), "config", ...who]) {
    const answer = call(path);
    // Whoever takes it hears of it; nobody may.
    answer.catch(() => {});
    sent.set(path, { at: performance.now(), asker, answer });
  }
}

/** The answer to a call that was sent early, once, and to nobody else than who has asked. */
export function takeEarly(path: string): Promise<Response> | undefined {
  const known = sent.get(path);
  sent.delete(path);
  return known && known.asker === token.read() && performance.now() - known.at < FRESH_MS ? known.answer : undefined;
}
