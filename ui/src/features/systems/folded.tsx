import { type ReactNode, useState } from "react";

/** What few need, behind its summary. It is open while something in it is wrong, and does not close under whoever mends that. */
export function Folded({
  summary,
  wrong,
  children,
}: {
  summary: string;
  wrong: boolean;
  children: ReactNode;
}) {
  const [open, setOpen] = useState(wrong);
  if (wrong && !open) setOpen(true);
  const toggle = (details: HTMLDetailsElement) => {
    if (wrong) details.open = true;
    else setOpen(details.open);
  };
  return (
    <details
      open={open}
      onToggle={(event) => toggle(event.currentTarget)}
      className="rounded-lg border border-line px-3 py-2"
    >
      <summary className="select-none font-medium text-sm">{summary}</summary>
      {children}
    </details>
  );
}
