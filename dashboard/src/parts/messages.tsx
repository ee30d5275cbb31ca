/** What has become of something that was begun. Screen readers are told. */

import { Store, useStore } from "../api/store";
import { Sentence } from "./basic";

interface Message {
  id: number;
  text: string;
  tone: "busy" | "good" | "bad";
}

const messages = new Store<Message[]>([]);
let last = 0;

/** How long good news stays, ms. */
const SHOWN_MS = 8000;

function put(message: Message): void {
  const others = messages.get().filter(({ id }) => id !== message.id);
  messages.set([...others, message].slice(-4));
  if (message.tone === "good") setTimeout(() => dismiss(message.id), SHOWN_MS);
}

function dismiss(id: number): void {
  messages.set(messages.get().filter((message) => message.id !== id));
}

/** Shows that `work` is under way, then how it ended. */
export async function report(begun: string, work: Promise<unknown>, done: (result: string) => string): Promise<void> {
  last += 1;
  const id = last;
  put({ id, text: begun, tone: "busy" });
  try {
    const result = await work;
    put({ id, text: done(typeof result === "string" ? result : ""), tone: "good" });
  } catch (error) {
    put({ id, text: error instanceof Error ? error.message : String(error), tone: "bad" });
  }
}

export function Messages() {
  const all = useStore(messages);
  return (
    <div className="messages" role="status" aria-live="polite">
      {all.map((message) => (
        <div key={message.id} className={`message message-${message.tone}`}>
          <span>
            <Sentence text={message.text} />
          </span>
          <button type="button" className="quiet small" aria-label="dismiss" onClick={() => dismiss(message.id)}>
            ✕
          </button>
        </div>
      ))}
    </div>
  );
}
