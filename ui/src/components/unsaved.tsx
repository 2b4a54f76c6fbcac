import { useUnsaved } from "@/lib/unsaved";

/** Inside a window whose fields stand around it: while `dirty`, it does not close without a question. */
export function Unsaved({ dirty }: { dirty: boolean }) {
  useUnsaved(dirty);
  return null;
}
