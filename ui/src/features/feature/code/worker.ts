import { createHighlighterCore, type HighlighterCore, type LanguageRegistration } from "@shikijs/core";
import { createJavaScriptRegexEngine } from "@shikijs/engine-javascript";
import type { Answer, Request } from "./protocol";
import { kindOf, theme } from "./theme";

// Text comes in, the kinds of its tokens go out; the page stays free to scroll meanwhile.
const highlighter: Promise<HighlighterCore> = createHighlighterCore({
  themes: [theme],
  langs: [],
  engine: createJavaScriptRegexEngine({ forgiving: true }),
});

/** Lines beyond this length stay plain: they are made by machines, and cost the most. */
const LONGEST_LINE = 1_000;

async function highlight(request: Request): Promise<number[][]> {
  const shiki = await highlighter;
  if (request.grammars !== undefined) {
    await shiki.loadLanguage(...(request.grammars as LanguageRegistration[]));
  }
  const lines = shiki.codeToTokensBase(request.text, {
    lang: request.language,
    theme: "kinds",
    tokenizeMaxLineLength: LONGEST_LINE,
    tokenizeTimeLimit: 200,
  });
  return lines.map((tokens) => tokens.flatMap((token) => [token.content.length, kindOf(token.color)]));
}

self.onmessage = async ({ data }: MessageEvent<Request>) => {
  let answer: Answer;
  try {
    answer = { id: data.id, lines: await highlight(data) };
  } catch {
    // A grammar that this engine cannot read: the text stays plain.
    answer = { id: data.id, lines: null };
  }
  self.postMessage(answer);
};
