/**
 * Components whose script is fetched when they are first shown. Unlike `lazy` it shows them as soon as they are there: React waits up to
 * 300 ms before it takes the place of something that it has just shown.
 */

import { type ComponentType, useEffect, useState } from "react";
import { Loading } from "./basic";

export type Later<P> = ComponentType<P> & {
  /** Fetches the script, so that the component is shown at once. */
  fetch: () => Promise<void>;
};

export function later<P extends object>(load: () => Promise<ComponentType<P>>, what?: string): Later<P> {
  let loaded: ComponentType<P> | undefined;
  const fetch = async () => {
    loaded = await load();
  };
  function Later(props: P) {
    const [state, setState] = useState<"loading" | "loaded" | "failed">(loaded ? "loaded" : "loading");
    useEffect(() => {
      if (loaded) return setState("loaded");
      let left = false;
      fetch().then(
        () => !left && setState("loaded"),
        () => !left && setState("failed"),
      );
      return () => {
        left = true;
      };
    }, []);
    if (loaded) {
      const Loaded = loaded;
      return <Loaded {...props} />;
    }
    if (state === "failed") {
      return (
        <p className="notice notice-bad" role="alert">
          A part of the page could not be loaded. <a href="">Load the page again</a>
        </p>
      );
    }
    return <Loading {...(what ? { what } : {})} />;
  }
  return Object.assign(Later, { fetch });
}
