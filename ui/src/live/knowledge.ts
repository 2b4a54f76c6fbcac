import type { Event, SocketFrame } from "@/api/types";

/** What the socket tells of the knowledge hub. */
export type KnowledgeFrame = Extract<SocketFrame | Event, { type: `knowledge.${string}` }>;

const listeners = new Set<(frame: KnowledgeFrame) => void>();

/** Calls back with all that the socket tells of the hub; returns how to stop. What the hub does with it is its own affair. */
export function onKnowledge(listener: (frame: KnowledgeFrame) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const isKnowledge = (frame: { type: string }): frame is KnowledgeFrame =>
  frame.type.startsWith("knowledge.");

export function tellKnowledge(frame: KnowledgeFrame) {
  for (const listener of listeners) listener(frame);
}
