/** What the server offers, and what the reader may do. */

import { CallError, get, session } from "../api/client";
import { interval } from "../api/poll";
import { Store, useStore } from "../api/store";
import type { Config } from "../api/types";

export const config = new Store<Config | null>(null);

/** Who is logged in. */
export interface Identity {
  name?: string;
  /** One of `ROLES`. */
  role?: string;
}

export const identity = new Store<Identity | null>(null);

/** Asks who the token belongs to. A server without users is not asked. */
export async function whoAmI(): Promise<void> {
  identity.set(null);
  const { token } = session.get();
  if (token === null) return;
  try {
    const who = await get<Identity>("auth/whoami");
    if (session.get().token === token) identity.set(who);
  } catch (error) {
    // Where nobody answers, or nobody knows yet, it is asked again; who is not known is asked for another token.
    const refused = error instanceof CallError && (error.status === 401 || error.status === 403);
    if (!refused) setTimeout(() => session.get().token === token && void whoAmI(), interval.get());
  }
}

/** Each may do what those before it may. */
const ROLES = ["viewer", "operator", "deployer", "admin"] as const;

/** Whether the reader has at least this role. The server decides; this only hides what it would refuse. */
export function useRole(needed: (typeof ROLES)[number]): boolean {
  const { token } = useStore(session);
  const role = useStore(identity)?.role?.toLowerCase();
  // Without a token the server asks for none. Until it is known whose a token is, nothing is offered that may be refused.
  if (role === undefined) return token === null;
  return ROLES.findIndex((one) => one === role) >= ROLES.indexOf(needed);
}

/** Whether the server offers something that the reader may use. */
export function useFeature(feature: keyof Config["features"], needed: (typeof ROLES)[number]): boolean {
  const may = useRole(needed);
  const known = useStore(config);
  return may && (known?.features[feature] ?? false);
}
