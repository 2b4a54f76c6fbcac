import { useEffect, useRef, useState } from "react";
import type { Run } from "@/api/types";
import { s } from "../strings";
import type { Activity } from "./stream";

/** Tells screen readers politely when the run changes its state; not of each word. */
export function Announce({ run, activity }: { run: Run; activity: Activity }) {
  const waits = run.status === "running" && activity.kind === "waiting";
  const now =
    run.status === "failed"
      ? s.live.announce.failed
      : run.status === "waiting"
        ? s.live.announce.waiting
        : run.status === "stopped"
          ? s.live.announce.stopped
          : waits
            ? s.live.announce.wait
            : run.status === "running"
              ? s.live.announce.started
              : "";
  const before = useRef(now);
  const [said, setSaid] = useState("");
  useEffect(() => {
    // What stands there at first is no news.
    if (before.current === now) return;
    before.current = now;
    setSaid(now);
  }, [now]);
  return (
    <span role="status" className="sr-only">
      {said}
    </span>
  );
}
