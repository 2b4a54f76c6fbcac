import type { Told } from "@/api/types";
import { moment as at } from "@/lib/format";

/** The light of an order, by how it stands. */
export const dot = { on: "bg-green", paused: "bg-amber", off: "bg-faint" } as const;

/** A moment within the next days, by the member's clock. */
export const moment = (iso: string) => at(iso, Date.now());

/** Why something waits, with its moments by the member's clock, or by the device's while the member has set none. */
export function reason(waiting: Told): string {
  if (waiting.code === "window" && waiting.until !== null)
    return `The window opens at ${moment(waiting.until)}.`;
  if (waiting.code === "provider") return `Waits until ${moment(waiting.until)}. ${waiting.why}`;
  if (waiting.code === "trouble" || waiting.code === "footing")
    return `${waiting.why} It is tried again at ${moment(waiting.until)}.`;
  return waiting.message;
}
