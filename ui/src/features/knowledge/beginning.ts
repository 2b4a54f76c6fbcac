import { createStore } from "@/lib/store";
import type { Draft } from "./draft";

/** What was taken out of a run to be kept in the hub, by the run; the editor begins with it. */
const texts = createStore<ReadonlyMap<string, Partial<Draft>>>(new Map());

export function giveBeginning(runId: string, draft: Partial<Draft>) {
  texts.set((before) => new Map(before).set(runId, draft));
}

export function takeBeginning(runId: string): { draft?: Partial<Draft> } {
  const draft = texts.get().get(runId);
  return draft === undefined ? {} : { draft };
}

const LONGEST = 100;

/** What a text could be called: its first heading, or the first sentence of it. */
export function titleFrom(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  const heading = lines.find((line) => /^#{1,6}\s/.test(line));
  const first = heading ?? lines.find((line) => /[\p{L}\p{N}]/u.test(line)) ?? "";
  const plain = first
    .replace(/^(#{1,6}|[-*>]|\d+[.)])\s+/, "")
    .replace(/[*_`]/g, "")
    .trim();
  const sentence = /^.*?[.!?](?=\s|$)/.exec(plain)?.[0].replace(/[.!]$/, "") ?? plain;
  return sentence.length <= LONGEST ? sentence : `${sentence.slice(0, LONGEST - 1).replace(/\s+\S*$/, "")}…`;
}
