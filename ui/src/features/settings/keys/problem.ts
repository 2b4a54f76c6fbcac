/** Problems of a key: what is done about each, in the settings. */
const LABELS: Record<string, string> = {
  "no-key": "Add a key",
  "invalid-key": "Put in another key",
  "key-not-allowed": "See your keys",
  "no-credit": "See your keys",
  "sealed-key": "Put the key in again",
};

/** What to do at the keys about a problem; nothing where no key mends it. */
export const keyProblem = (code: string | undefined): string | null =>
  code !== undefined && Object.hasOwn(LABELS, code) ? (LABELS[code] ?? null) : null;
