/**
 * Components whose script is fetched when they are first shown. Unlike `lazy` it shows them as soon as they are there: React waits up to
 * 300 ms before it takes the place of something that it has just shown.
 */

import { type ComponentType, useEffect, useState } from "react";
import { Loading } from "./basic";

export function later<P extends object>(load: () => Promise<ComponentType<P>>, what?: string): ComponentType<P> {
  let loaded: ComponentType<P> | undefined;
  return function Later(props: P) {
    const [state, setState] = useState<"loading" | "loaded" | "failed">(loaded ? "loaded" : "loading");
    useEffect(() => {
      if (loaded) return setState("loaded");
      let left = false;
      load().then(
        (component) => {
          loaded = component;
          if (!left) setState("loaded");
        },
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
  };
}
