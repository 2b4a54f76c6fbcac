import { useEffect, useState } from "react";
import { grammarsOf } from "./languages";
import type { Answer, Request } from "./protocol";

/** For each line its tokens as length, kind, length, kind, … */
export type Tokens = readonly (readonly number[])[];

/** Texts beyond this stay plain. */
const LARGEST = 400_000;
/** Texts whose tokens are kept. */
const KEPT = 300;

const kept = new Map<string, Tokens>();
const asked = new Map<string, Promise<Tokens | null>>();
const waiting = new Map<number, (lines: number[][] | null) => void>();
const told = new Set<string>();
let worker: Worker | null | undefined;
let ids = 0;

function start(): Worker | null {
  if (worker !== undefined) return worker;
  try {
    worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      waiting.get(data.id)?.(data.lines);
      waiting.delete(data.id);
    };
    worker.onerror = () => {
      worker = null;
      for (const done of waiting.values()) done(null);
      waiting.clear();
    };
  } catch {
    worker = null;
  }
  return worker;
}

/** Gets ready what colours texts, while they are still on their way. */
export const warmUp = () => void start();

async function ask(language: string, text: string): Promise<Tokens | null> {
  if (start() === null) return null;
  const grammars = told.has(language) ? undefined : await grammarsOf(language);
  const to = start();
  if (to === null) return null;
  ids += 1;
  const request: Request = {
    id: ids,
    language,
    text,
    ...(grammars === undefined || told.has(language) ? {} : { grammars }),
  };
  told.add(language);
  const lines = await new Promise<number[][] | null>((done) => {
    waiting.set(request.id, done);
    to.postMessage(request);
  });
  return lines;
}

/** The tokens of a text; nothing when they cannot be had. Asked twice, it works once. */
export function tokensOf(language: string, text: string): Promise<Tokens | null> {
  const key = `${language}\n${text}`;
  const have = kept.get(key);
  if (have !== undefined) return Promise.resolve(have);
  let answer = asked.get(key);
  if (answer === undefined) {
    answer = ask(language, text)
      .catch(() => null)
      .then((tokens) => {
        asked.delete(key);
        if (tokens !== null) {
          kept.set(key, tokens);
          const oldest = kept.keys().next().value;
          if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest);
        }
        return tokens;
      });
    asked.set(key, answer);
  }
  return answer;
}

/** The tokens of a text once they are there. Nothing is asked without a language or a text. */
export function useTokens(language: string | null, text: string | null): Tokens | undefined {
  const key = language === null || text === null || text.length > LARGEST ? null : `${language}\n${text}`;
  const [got, setGot] = useState<{ key: string; tokens: Tokens | null }>();
  useEffect(() => {
    if (key === null || language === null || text === null || kept.has(key)) return;
    let wanted = true;
    void tokensOf(language, text).then((tokens) => {
      if (wanted) setGot({ key, tokens });
    });
    return () => {
      wanted = false;
    };
  }, [key, language, text]);
  if (key === null) return undefined;
  return kept.get(key) ?? (got?.key === key ? (got.tokens ?? undefined) : undefined);
}
