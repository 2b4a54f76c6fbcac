import { type ComponentType, lazy } from "react";

/** What only adds to a view: where its script cannot be fetched, the view stands without it. */
export const lazyOrNothing = <P extends object>(load: () => Promise<{ default: ComponentType<P> }>) =>
  lazy<ComponentType<P>>(() => load().catch(() => ({ default: () => null })));
