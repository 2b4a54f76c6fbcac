import { useSyncExternalStore } from "react";
import { clock, exactTime, relativeTime } from "./format";

/** One timer for the whole page; components that show ages read it. */
function ticker(everyMs: number) {
  let now = Date.now();
  let timer: ReturnType<typeof setInterval> | undefined;
  const listeners = new Set<() => void>();
  return {
    subscribe(listener: () => void) {
      listeners.add(listener);
      timer ??= setInterval(() => {
        now = Date.now();
        for (const each of listeners) each();
      }, everyMs);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) {
          clearInterval(timer);
          timer = undefined;
        }
      };
    },
    get() {
      if (timer === undefined) now = Date.now() - (Date.now() % everyMs);
      return now;
    },
  };
}

const seconds = ticker(1_000);
const halfMinutes = ticker(30_000);

/** Now, anew every second. */
export const useSecond = () => useSyncExternalStore(seconds.subscribe, seconds.get);
/** Now, anew every half minute. */
export const useNow = () => useSyncExternalStore(halfMinutes.subscribe, halfMinutes.get);

/** A moment as seen from now, with the exact time on hover. */
export function Time({ at, className }: { at: string; className?: string }) {
  const now = useNow();
  return (
    <time dateTime={at} title={exactTime(at)} className={className}>
      {relativeTime(at, Math.max(now, Date.now()))}
    </time>
  );
}

/** How long something has been going on; a running clock while `until` is absent. */
export function Elapsed({
  since,
  until,
  className,
}: {
  since: string;
  until?: string | null;
  className?: string;
}) {
  return until ? (
    <span className={className}>{clock(Date.parse(until) - Date.parse(since))}</span>
  ) : (
    <Running since={since} {...(className === undefined ? {} : { className })} />
  );
}

function Running({ since, className }: { since: string; className?: string }) {
  const now = useSecond();
  return <span className={className}>{clock(Math.max(0, now - Date.parse(since)))}</span>;
}
