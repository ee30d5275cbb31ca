/** What the server offers, and what the reader may do. */

import { get, session } from "../api/client";
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
  if (session.get().token === null) return;
  try {
    identity.set(await get<Identity>("auth/whoami"));
  } catch {
    identity.set(null);
  }
}

/** Each may do what those before it may. */
const ROLES = ["viewer", "operator", "deployer", "admin"] as const;

/** Whether the reader has at least this role. The server decides; this only hides what it would refuse. */
export function useRole(needed: (typeof ROLES)[number]): boolean {
  const role = useStore(identity)?.role?.toLowerCase();
  if (role === undefined) return true;
  return ROLES.findIndex((one) => one === role) >= ROLES.indexOf(needed);
}

/** Whether the server offers something that the reader may use. */
export function useFeature(feature: keyof Config["features"], needed: (typeof ROLES)[number]): boolean {
  const may = useRole(needed);
  const known = useStore(config);
  return may && (known?.features[feature] ?? false);
}
