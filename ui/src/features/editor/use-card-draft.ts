import { useEffect, useRef, useState } from "react";
import type { Feature } from "@/api/types";
import { useUnsaved } from "@/lib/unsaved";
import { BLANK, type Draft, draftOf, type Kept, keptDraft, readKept, rebase, toPatch } from "./draft";

/**
 * What the form of a card holds: of one that is there (`feature`), or of a new one of a project that begins with `given`. It is kept in
 * this browser from the first letter on, and goes on from what was kept before.
 */
export function useCardDraft(projectId: string, feature: Feature | null, given: Partial<Draft> | undefined) {
  const kept = keptDraft(feature === null ? projectId : `feature.${feature.id}`);
  const fresh = (card: Feature | null): Kept =>
    card === null
      ? { draft: { ...BLANK, ...given }, base: { ...BLANK, ...given }, version: 0 }
      : { draft: draftOf(card), base: draftOf(card), version: card.version };
  const [left] = useState(() => readKept(kept.get()));
  // A card that begins with something leaves alone what is kept of another one.
  const apart = given !== undefined && left !== null;
  const [state, setState] = useState<Kept>(() => (apart || left === null ? fresh(feature) : left));
  const [found, setFound] = useState(left !== null && !apart);

  const now =
    feature !== null && feature.version > state.version
      ? rebase(state, draftOf(feature), feature.version)
      : state;
  if (now !== state) setState(now);

  const { draft, base, version } = now;
  const patch = toPatch(draft, base);
  const changed = Object.keys(patch).length > 0;
  useUnsaved(apart && changed);

  // Only what was loaded or typed here is let go of here.
  const holds = useRef(found);
  const done = useRef(false);
  useEffect(() => {
    if (apart || done.current) return;
    if (changed) kept.set({ draft, base, version });
    else if (holds.current) kept.set(null);
    holds.current ||= changed;
  }, [kept, apart, changed, draft, base, version]);

  return {
    draft,
    set: (part: Partial<Draft>) => {
      if (feature !== null) done.current = false;
      setState((before) => ({ ...before, draft: { ...before.draft, ...part } }));
    },
    /** What is to be sent, and the version of the card that it changes. */
    patch,
    version,
    changed,
    /** Whether it is kept in this browser. */
    keeps: changed && !apart,
    /** Whether it goes on with what was left here. */
    found: found && changed,
    /** Whether somebody else changed the same since. */
    clash: feature !== null && feature.version > version,
    /** Drops what was typed, for the card as it is. */
    discard: (card: Feature | null = feature) => {
      setFound(false);
      setState(fresh(card));
    },
    /** It is saved: nothing is kept any more. What is typed into the form of a new card from now on is of no card. */
    saved: () => {
      done.current = true;
      if (!apart) kept.set(null);
    },
    /** The next card: the choices stay, the words go. */
    next: () => {
      done.current = false;
      setFound(false);
      setState({ ...now, draft: { ...draft, title: "", description: "", dependencies: [], branch: "" } });
    },
  };
}
