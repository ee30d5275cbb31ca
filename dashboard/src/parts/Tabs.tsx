/** Pages below a page. They are links, so that each has an address. */

import { useEffect, useRef } from "react";

export interface Tab {
  id: string;
  title: string;
  href: string;
  /** A number beside the title. */
  badge?: number | undefined;
}

export function Tabs({ name, tabs, current }: { name: string; tabs: readonly Tab[]; current: string }) {
  const row = useRef<HTMLElement>(null);
  // Where there is no room for all, the one that is shown is in sight.
  useEffect(() => {
    // With the frame, when everything is laid out anyway.
    const frame = requestAnimationFrame(() => {
      const tab = row.current?.querySelector<HTMLElement>("[aria-current]");
      if (row.current && tab)
        row.current.scrollLeft = tab.offsetLeft - row.current.offsetLeft - (row.current.clientWidth - tab.offsetWidth) / 2;
    });
    return () => cancelAnimationFrame(frame);
  }, [current]);
  return (
    <nav ref={row} className="tabs" aria-label={name}>
      {tabs.map((tab) => (
        <a key={tab.id} href={tab.href} className="tab" aria-current={tab.id === current ? "page" : undefined}>
          {tab.title}
          {tab.badge ? <span className="tab-badge">{tab.badge}</span> : null}
        </a>
      ))}
    </nav>
  );
}
