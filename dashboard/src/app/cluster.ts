/** What the server offers, and what the reader may do. */

import { get, session } from "../api/client";
import { Store, useStore } from "../api/store";
import type { Config } from "../api/types";

export const config = new Store<Config | null>(null);

/** Who is logged in. */
export interface Identity {
  name?: string;
  /** `viewer`, `operator` or `admin`. */
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

/** Whether the reader may change something. The server decides; this only hides what it would refuse. */
export function useMayChange(): boolean {
  const role = useStore(identity)?.role?.toLowerCase();
  return role === undefined || (role !== "viewer" && role !== "read-only");
}

export function useFeature(feature: keyof Config["features"]): boolean {
  const may = useMayChange();
  const known = useStore(config);
  return may && (known?.features[feature] ?? false);
}
