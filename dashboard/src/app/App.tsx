/** The frame around every page: navigation, connection, settings. */

import { useEffect } from "react";
import { connection, session, setToken } from "../api/client";
import { live, refreshAll } from "../api/poll";
import { useStore } from "../api/store";
import { clock, duration } from "../format/units";
import { Login } from "../pages/Login";
import { useNow } from "../parts/basic";
import { Messages } from "../parts/messages";
import { config, identity, useFeature, whoAmI } from "./cluster";
import { Page } from "./pages";
import { href, useRoute } from "./router";
import { theme, zone } from "./settings";

export function App() {
  const { login, token } = useStore(session);

  useEffect(() => void whoAmI(), [token]);
  if (login) return <Login />;
  return (
    <div className="frame">
      <button type="button" className="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to content
      </button>
      <Header />
      <Lost />
      <main id="main" tabIndex={-1}>
        <Page />
      </main>
      <Messages />
    </div>
  );
}

function Header() {
  const { path } = useRoute();
  const submit = useFeature("web-submit");
  const known = useStore(config);
  const section = path[0] ?? "overview";
  const links: [string, string, string][] = [
    ["overview", "Overview", href(["overview"])],
    ["jobs", "Jobs", href(["jobs"])],
    ["task-managers", "TaskManagers", href(["task-managers"])],
    ["job-manager", "JobManager", href(["job-manager"])],
  ];
  if (submit) links.push(["submit", "Submit", href(["submit"])]);
  return (
    <header className="top">
      <a className="brand" href={href(["overview"])}>
        <Logo />
        <span>Flott</span>
      </a>
      <nav className="sections" aria-label="Sections">
        {links.map(([id, title, to]) => (
          <a key={id} href={to} aria-current={section === id ? "page" : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <div className="top-settings">
        {known && <span className="version faint">{known["flink-version"].replace(/^.*flott-/, "")}</span>}
        <Live />
        <Zone />
        <Theme />
        <User />
      </div>
    </header>
  );
}

function Logo() {
  return (
    <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="var(--accent-strong)" />
      <path
        d="M6 11c3.3-3 6.7-3 10 0s6.7 3 10 0M6 17c3.3-3 6.7-3 10 0s6.7 3 10 0M6 23c3.3-3 6.7-3 10 0s6.7 3 10 0"
        fill="none"
        stroke="#fff"
        strokeWidth="2.6"
        strokeLinecap="round"
      />
    </svg>
  );
}

function Live() {
  const on = useStore(live);
  return (
    <>
      <button
        type="button"
        className="quiet"
        aria-pressed={on}
        title={on ? "stop asking for news" : "ask for news by itself"}
        onClick={() => live.set(!on)}
      >
        <span className={`live-dot ${on ? "live-on" : ""}`} aria-hidden="true" />
        {on ? "live" : "paused"}
      </button>
      {!on && (
        <button type="button" className="quiet" onClick={refreshAll}>
          refresh
        </button>
      )}
    </>
  );
}

function Zone() {
  const chosen = useStore(zone);
  return (
    <button
      type="button"
      className="quiet"
      title={chosen === "utc" ? "times are in UTC; show local time" : "times are local; show UTC"}
      onClick={() => zone.set(chosen === "utc" ? "local" : "utc")}
    >
      {chosen === "utc" ? "UTC" : "local time"}
    </button>
  );
}

const NEXT = { auto: "light", light: "dark", dark: "auto" } as const;

function Theme() {
  const chosen = useStore(theme);
  const names = { auto: "◐ auto", light: "☀ light", dark: "☾ dark" };
  return (
    <button
      type="button"
      className="quiet"
      aria-label={`theme: ${chosen}`}
      title="change the theme"
      onClick={() => theme.set(NEXT[chosen])}
    >
      {names[chosen]}
    </button>
  );
}

function User() {
  const who = useStore(identity);
  const { token } = useStore(session);
  if (token === null) return null;
  return (
    <button type="button" className="quiet" title={who?.role ? `role: ${who.role}` : undefined} onClick={() => setToken(null)}>
      {who?.name ? `log out ${who.name}` : "log out"}
    </button>
  );
}

/** What is shown is old, and since when. */
function Lost() {
  const { lostAt } = useStore(connection);
  const utc = useStore(zone) === "utc";
  const now = useNow();
  if (lostAt === null) return null;
  return (
    <div className="lost" role="alert">
      Connection lost since {clock(lostAt, utc)}
      {utc ? " UTC" : ""} ({duration(now - lostAt)}): what is shown is from then. Trying again…
    </div>
  );
}
