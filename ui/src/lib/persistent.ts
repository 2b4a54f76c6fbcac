import { createStore } from "./store";

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

let owner = "";

/** What earlier versions kept for nobody in particular. Whose it is, nobody knows by now, and it is shown to none. */
const UNOWNED = /^guildhall\.(comments|draft|knowledge|new-chat|plan|viewed)\./;

function forgetUnowned() {
  try {
    for (const key of Object.keys(localStorage)) if (UNOWNED.test(key)) localStorage.removeItem(key);
  } catch {
    // Storage is switched off: nothing is kept there.
  }
}

/**
 * From now on what is typed and not sent is kept for this member: on a shared browser nobody else sees it, or sends it as their own.
 * Says whether it was another's before.
 */
export function keepFor(memberId: string): boolean {
  const other = owner !== "" && owner !== memberId;
  if (owner === "") forgetUnowned();
  owner = memberId;
  return other;
}

/** The key of something of the member who is signed in. */
export const ownKey = (key: string) => `guildhall.${owner}.${key}`;

/** The same as `persistent`, for what belongs to the member who is signed in. */
export const own = <T>(key: string, empty: T): Store<T> => persistent(ownKey(key), empty);

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
