import { type ComponentType, createElement, use } from "react";

type Load = () => Promise<{ default: ComponentType }>;

/** Forgets for each view that its script could not be fetched: it is fetched again when it is shown. */
const forgets = new Set<() => void>();
/** Fetches the views' scripts. */
const fetches: (() => Promise<void>)[] = [];

/**
 * A view whose script is fetched when it is first needed. Where that fails, the view shows so and can be asked for again; the page stays,
 * with all that is typed in it, whatever became of the server.
 */
export function lazyView(load: Load) {
  let view: ComponentType | undefined;
  let failed: { error: unknown } | undefined;
  let pending: Promise<void> | undefined;
  const fetch = () => {
    if (view !== undefined) return Promise.resolve();
    pending ??= load()
      .then(
        (found) => {
          view = found.default;
          failed = undefined;
        },
        (error: unknown) => {
          failed = { error };
        },
      )
      .finally(() => {
        pending = undefined;
      });
    return pending;
  };
  forgets.add(() => {
    failed = undefined;
  });
  fetches.push(fetch);
  function View() {
    if (view === undefined) {
      if (failed !== undefined) throw failed.error;
      use(fetch());
    }
    return view === undefined ? null : createElement(view);
  }
  View.preload = fetch;
  return View;
}

/** What failed may be fetched again. */
export function forgetFailures() {
  for (const forget of forgets) forget();
}

/** Fetches all views' scripts, one after the other: they are there when the server is away. */
export async function fetchViews() {
  for (const fetch of fetches) {
    await fetch();
  }
  forgetFailures();
}

/** Whether a script could not be fetched: the server is away, or was updated and has it no more. */
export const isMissingScript = (error: unknown): boolean =>
  error instanceof TypeError &&
  /dynamically imported module|Importing a module|error loading dynamically/i.test(error.message);
