import { useCallback, useMemo, useState } from "react";
import type { SystemDefinition } from "@/api/types";
import { find } from "./model";

/** What is typed at a place, and what the system was then. */
interface Entry {
  text: string;
  of: SystemDefinition;
}

type Entries = Readonly<Record<string, Entry>>;

const NONE: Entries = {};
/** Where what belongs to the system as a whole is typed. */
const SYSTEM = "";

/** The place of a field that can hold something unfinished: that of a step, or of the system. */
export const placeOf = (field: string, step = SYSTEM) => `${step}/${field}`;

const stepOf = (place: string) => place.slice(0, place.indexOf("/"));

const keep = (entries: Entries, keeps: (place: string, entry: Entry) => boolean): Entries =>
  Object.fromEntries(Object.entries(entries).filter(([place, entry]) => keeps(place, entry)));

/** Puts an entry at a place, or none, and at those that its step had under another id. */
function put(entries: Entries, place: string, next: Entry | null): Entries {
  const old = entries[place];
  const places = [place, ...Object.keys(entries).filter((other) => entries[other] === old)];
  const rest = keep(entries, (other) => !places.includes(other));
  return next === null ? rest : { ...rest, ...Object.fromEntries(places.map((other) => [other, next])) };
}

const without = (entries: Entries, step: string) => keep(entries, (place) => stepOf(place) !== step);

/** What is typed in a system's forms and cannot be taken over yet. */
export function useDesk(definition: SystemDefinition) {
  const [unfinished, setUnfinished] = useState(NONE);
  const tell = useCallback(
    (place: string, text: string | null) =>
      setUnfinished((before) => put(before, place, text === null ? null : { text, of: definition })),
    [definition],
  );
  const clear = useCallback(() => setUnfinished(NONE), []);
  // The earlier id has it as well: it is the step's again when the change is taken back.
  const rename = (from: string, to: string) =>
    setUnfinished((before) => {
      const moved = Object.entries(before).filter(([place]) => stepOf(place) === from);
      const added = moved.map(([place, entry]) => [to + place.slice(from.length), entry]);
      return { ...without(before, to), ...Object.fromEntries(added) };
    });
  const begin = (id: string) => setUnfinished((before) => without(before, id));
  /** What was typed in the form of a step, or of the system, since the system changed last. */
  const lastAt = (step = SYSTEM) =>
    Object.keys(unfinished).filter((place) => stepOf(place) === step && unfinished[place]?.of === definition);
  const takeBack = (step?: string) =>
    setUnfinished((before) => lastAt(step).reduce((entries, place) => put(entries, place, null), before));
  const desk = useMemo(() => ({ unfinished, tell }), [unfinished, tell]);
  // A step may be gone, or answer in text now, with what was typed of its form.
  const isThere = (id: string) =>
    id === SYSTEM || find(definition.workflow ?? [], id)?.step.outputFormat === "json";
  const there = Object.keys(unfinished).map(stepOf).filter(isThere);
  return {
    desk,
    count: there.length,
    countAt: (id: string) => there.filter((other) => other === id).length,
    rename,
    /** A new step has this id: what was typed of a former one is not its. */
    begin,
    /** Whether something was typed in the form of a step, or of the system, after all that can be taken back else. */
    isLast: (step?: string) => lastAt(step).length > 0,
    /** Throws that away. */
    takeBack,
    /** Throws all of it away. */
    clear,
  };
}
