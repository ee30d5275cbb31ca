/** Asks for a token where the cluster wants one. */

import { type FormEvent, useState } from "react";
import { CallError, get, setToken } from "../api/client";
import { refreshAll } from "../api/poll";

export function Login() {
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const response = await fetch("overview", { headers: { Authorization: `Bearer ${text.trim()}` } }).catch(() => null);
    if (response === null) {
      setError("the JobManager cannot be reached");
    } else if (response.status === 401) {
      setError("the cluster does not know this token");
    } else {
      setToken(text.trim());
      await get("overview").catch((failure) => failure instanceof CallError);
      refreshAll();
    }
  };
  return (
    <main className="login">
      <form className="card" onSubmit={submit}>
        <h1>Flott</h1>
        <p>This cluster asks who you are. Give the token that you were given; it is kept until this tab is closed.</p>
        <label>
          Token
          <input type="password" autoComplete="current-password" required value={text} onChange={(event) => setText(event.target.value)} />
        </label>
        {error && (
          <p className="notice notice-bad" role="alert">
            {error}
          </p>
        )}
        <button type="submit" className="primary">
          Log in
        </button>
      </form>
    </main>
  );
}
