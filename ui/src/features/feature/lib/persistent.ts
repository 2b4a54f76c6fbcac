import { createStore } from "@/lib/store";

type Store<T> = ReturnType<typeof createStore<T>>;

const stores = new Map<string, Store<unknown>>();

/** A value that survives a reload, shared by all who ask for the same key. What equals `empty` takes no room. */
export function persistent<T>(key: string, empty: T): Store<T> {
  const known = stores.get(key);
  if (known !== undefined) return known as Store<T>;
  const store = createStore<T>(read(key, empty));
  store.subscribe(() => write(key, store.get(), empty));
  stores.set(key, store as Store<unknown>);
  return store;
}

function read<T>(key: string, empty: T): T {
  try {
    const text = localStorage.getItem(key);
    return text === null ? empty : (JSON.parse(text) as T);
  } catch {
    return empty;
  }
}

function write<T>(key: string, value: T, empty: T) {
  try {
    const text = JSON.stringify(value);
    if (text === JSON.stringify(empty)) localStorage.removeItem(key);
    else localStorage.setItem(key, text);
  } catch {
    // No room, or storage is switched off: it lasts as long as the page.
  }
}

/** Something that a reviewer wants different, kept until it is sent. */
export interface Comment {
  id: string;
  path: string;
  /** Which side of the change the line is on. */
  side: "old" | "new";
  line: number;
  /** The line as it stood when the comment was written. */
  quote: string;
  text: string;
}

const NO_COMMENTS: Comment[] = [];
const NO_MARKS: Record<string, string> = {};

/** What is kept of a feature in this browser. */
export const kept = {
  draft: (featureId: string) => persistent<string>(`guildhall.draft.${featureId}`, ""),
  comments: (featureId: string) => persistent<Comment[]>(`guildhall.comments.${featureId}`, NO_COMMENTS),
  /** For each path that was looked at, what its change was then. */
  viewed: (featureId: string) =>
    persistent<Record<string, string>>(`guildhall.viewed.${featureId}`, NO_MARKS),
};

/** Forgets what was kept of a feature, once it is merged or deleted. */
export function forgetKept(featureId: string) {
  kept.draft(featureId).set("");
  kept.comments(featureId).set(NO_COMMENTS);
  kept.viewed(featureId).set(NO_MARKS);
}
