import { redirect } from "@tanstack/react-router";
import { api } from "@/api/calls";
import { setOnFactorNeeded, setOnSignedOut } from "@/api/client";
import { ApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { Me } from "@/api/types";
import { closeEditor } from "@/features/editor/store";
import { keepFor } from "@/lib/persistent";
import { anyUnsaved } from "@/lib/unsaved";
import { startLive, stopLive } from "@/live/socket";
import { identity } from "./identity";
import { queryClient } from "./query-client";
import { noteSignedIn, noteSignedOut, wasSignedIn } from "./signed-in";

/** Where to go once signed in; only ever a place within this page. */
export function safeNext(next: unknown): string {
  return typeof next === "string" && /^\/(?![/\\])/.test(next) ? next : "/";
}

let leave: (to: "/" | "/login") => void = () => {};

/** Says how to lead on from what is shown when that is no longer for whoever is there. */
export function onLeave(handler: (to: "/" | "/login") => void) {
  leave = handler;
}

let ending: Promise<boolean> | null = null;

/** The session is over. Resolves to whether the same member signed in again over the page, and goes on. */
function signedOut(): Promise<boolean> {
  const me = queryClient.getQueryData<Me>(keys.me);
  if (me === undefined) return Promise.resolve(false);
  ending ??= end(me).finally(() => {
    ending = null;
  });
  return ending;
}
setOnSignedOut(signedOut);

async function end(before: Me): Promise<boolean> {
  // Nobody is here any more to answer.
  identity.get()?.settle(false);
  stopLive();
  noteSignedOut();
  const me =
    anyUnsaved() && (await import("./sign-in-again").then((again) => again.askToSignIn()).catch(() => null));
  if (me && me.id === before.id) {
    noteSignedIn();
    queryClient.setQueryData(keys.me, me);
    // From the greeting on nothing is missed; what happened until then is fetched.
    await live().greeting();
    void queryClient.invalidateQueries();
    return true;
  }
  queryClient.clear();
  if (me) enter(me);
  leave(me ? "/" : "/login");
  return false;
}

/** Where whoever lacks the second factor that the team asks for is led. */
export const SET_UP_FACTOR = "/second-factor";

// The team may begin to ask for it while the page is open.
setOnFactorNeeded(() => {
  stopLive();
  if (location.pathname !== SET_UP_FACTOR) location.assign(SET_UP_FACTOR);
});

/** The page is this member's: what another one left open in it goes. */
function belongTo(me: Me) {
  if (keepFor(me.id)) closeEditor();
}

/** Lets nobody further who has yet to set up what the team asks for. */
function requireFactor(me: Me) {
  belongTo(me);
  if (!me.secondFactorNeeded) return;
  stopLive();
  noteSignedOut();
  throw redirect({ to: SET_UP_FACTOR, replace: true });
}

/** Lets in who is signed in, with the socket open; sends everyone else where they can sign in. */
export async function requireSession(href: string): Promise<Me> {
  const known = queryClient.getQueryData<Me>(keys.me);
  if (known !== undefined) {
    requireFactor(known);
    await live().greeting();
    return known;
  }
  try {
    // What is fetched after the greeting misses no event.
    const early = wasSignedIn() ? live().greeting() : null;
    const me = await queryClient.fetchQuery(queries.me());
    requireFactor(me);
    noteSignedIn();
    await (early ?? live().greeting());
    return me;
  } catch (error) {
    stopLive();
    noteSignedOut();
    if (error instanceof ApiError && error.status === 401) {
      const { setUp } = await queryClient.fetchQuery(queries.authStatus());
      throw redirect(
        setUp
          ? { to: "/login", search: href === "/" ? {} : { next: href }, replace: true }
          : { to: "/setup", replace: true },
      );
    }
    throw error;
  }
}

function live() {
  return startLive({
    client: queryClient,
    onSignedOut: signedOut,
    probe: () => void queryClient.fetchQuery({ ...queries.me(), staleTime: 0 }).catch(() => {}),
  });
}

/** Lets in only who is to set up a second factor; sends everyone else on. */
export async function requireLacking() {
  let me: Me;
  try {
    me = await queryClient.fetchQuery({ ...queries.me(), staleTime: 0 });
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) throw redirect({ to: "/login", replace: true });
    throw error;
  }
  if (!me.secondFactorNeeded) throw redirect({ to: "/", replace: true });
}

/** After sign-up or sign-in: the page belongs to this member now. */
export function enter(me: Me) {
  queryClient.clear();
  noteSignedIn();
  belongTo(me);
  queryClient.setQueryData(keys.me, me);
}

export async function signOut() {
  await api.logout();
  stopLive();
  noteSignedOut();
  closeEditor();
  queryClient.clear();
}
