/** A question before something happens. The browser keeps the focus inside and lets Escape close it. */

import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { Sentence } from "./basic";

interface Props {
  title: string;
  children: ReactNode;
  /** What the button that does it says. */
  action: string;
  danger?: boolean;
  onClose: () => void;
  /** Does it. What it throws is shown, and the dialog stays. */
  onConfirm: () => Promise<void> | void;
}

export function Dialog({ title, children, action, danger = false, onClose, onConfirm }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  const confirm = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError("");
    try {
      await onConfirm();
      onClose();
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
      setBusy(false);
    }
  };
  return (
    <dialog ref={element} aria-labelledby={heading} onClose={onClose} onCancel={onClose}>
      <form onSubmit={confirm}>
        <h2 id={heading}>{title}</h2>
        {children}
        {error && (
          <p className="notice notice-bad" role="alert">
            <Sentence text={error} />
          </p>
        )}
        <div className="dialog-actions">
          <button type="button" onClick={onClose}>
            Back
          </button>
          <button type="submit" className={danger ? "danger" : "primary"} disabled={busy}>
            {busy ? "Working…" : action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
