/** Pages below a page. They are links, so that each has an address. */

export interface Tab {
  id: string;
  title: string;
  href: string;
  /** A number beside the title. */
  badge?: number | undefined;
}

export function Tabs({ name, tabs, current }: { name: string; tabs: readonly Tab[]; current: string }) {
  return (
    <nav className="tabs" aria-label={name}>
      {tabs.map((tab) => (
        <a key={tab.id} href={tab.href} className="tab" aria-current={tab.id === current ? "page" : undefined}>
          {tab.title}
          {tab.badge ? <span className="tab-badge">{tab.badge}</span> : null}
        </a>
      ))}
    </nav>
  );
}
