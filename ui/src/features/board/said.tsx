import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";

/** Typing settles for so long, and is so long, before the server is asked what cards say. */
const SETTLED_MS = 250;
const SHORTEST = 3;
/** So many cards of an answer are looked at: more than that nobody goes through. */
const MOST = 200;
const NONE: ReadonlySet<string> = new Set();

/** What the server says of what was typed. */
export interface SaidState {
  found: ReadonlySet<string>;
  asking: boolean;
  failed: boolean;
  /** Whether it may have found more than it told. */
  more: boolean;
}

/** Which cards of a project the server found by what was typed, in their descriptions, too; and whether it is being asked. */
export function useSaid(projectId: string, typed: string): SaidState {
  const text = typed.trim();
  const [asked, setAsked] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setAsked(text.length < SHORTEST ? "" : text), SETTLED_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const enabled = asked !== "" && text.length >= SHORTEST;
  const found = useQuery({
    queryKey: [...keys.said(projectId), asked],
    queryFn: async ({ signal }) => {
      const items = await api.findFeatures(projectId, asked, MOST, signal);
      return { asked, ids: new Set(items.map((card) => card.id)) as ReadonlySet<string> };
    },
    enabled,
    staleTime: 15_000,
    // What was found for the beginning of what is typed goes on to be shown until the answer to all of it is here.
    placeholderData: keepPreviousData,
  });
  const fits = enabled && found.data !== undefined && text.includes(found.data.asked);
  return {
    found: fits ? found.data.ids : NONE,
    asking:
      text.length >= SHORTEST &&
      !found.isError &&
      (asked !== text || found.isPending || found.isPlaceholderData),
    failed: enabled && found.isError,
    more: fits && found.data.ids.size >= MOST,
  };
}

const words = {
  asking: "Looking into the descriptions…",
  failed: "The descriptions could not be searched just now.",
  more: `Only the first ${MOST} found in the descriptions are shown.`,
} as const;

/** Tells the board, which has no need of this before somebody looks for something, and says what is missing from what it shows. */
export default function Said({
  projectId,
  text,
  onSaid,
}: {
  projectId: string;
  text: string;
  onSaid: (said: Pick<SaidState, "found" | "asking">) => void;
}) {
  const { found, asking, failed, more } = useSaid(projectId, text);
  useEffect(() => onSaid({ found, asking }), [found, asking, onSaid]);
  useEffect(() => () => onSaid({ found: NONE, asking: false }), [onSaid]);
  const told = asking ? words.asking : failed ? words.failed : more ? words.more : "";
  return (
    <p role="status" title={told} className="truncate text-faint text-xs">
      {told}
    </p>
  );
}
