import { Link, useRouter } from "@tanstack/react-router";
import { SearchX } from "lucide-react";
import { useCallback, useEffect } from "react";
import { ApiError } from "@/api/error";
import { Empty, ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { useLiveState } from "@/live/socket";
import { t } from "@/strings";
import { forgetFailures, isMissingScript } from "./lazy";
import { wasSignedIn } from "./signed-in";

const RELOADED = "guildhall.reloaded";
const AGAIN_MS = 30_000;
let triedAt = 0;

const isThere = () =>
  fetch("/api/health", { cache: "no-store" }).then(
    (answer) => answer.ok,
    () => false,
  );

/**
 * What to do about a script that could not be fetched. As long as the server does not answer: nothing, as loading the page anew would
 * leave nothing of it. Then the view is tried again; if that fails, too, the server was updated, and the page is loaded anew, once.
 */
async function mend(again: () => void) {
  if (!(await isThere())) return;
  if (Date.now() - triedAt > AGAIN_MS) {
    triedAt = Date.now();
    again();
  } else if (Date.now() - Number(sessionStorage.getItem(RELOADED) ?? 0) > AGAIN_MS) {
    sessionStorage.setItem(RELOADED, String(Date.now()));
    location.reload();
  }
}

/** A view that failed. */
export function RouteError({ error, reset }: { error: unknown; reset?: () => void }) {
  const router = useRouter();
  const missing = isMissingScript(error);
  const offline = useLiveState() === "offline";
  const again = useCallback(() => {
    forgetFailures();
    reset?.();
    void router.invalidate();
  }, [reset, router]);
  useEffect(() => {
    if (missing && !offline) void mend(again);
  }, [missing, offline, again]);
  const shown = missing
    ? new ApiError({ status: 0, code: "offline", detail: t.common.unreachableHelp })
    : error;
  return <ErrorState error={shown} onRetry={again} />;
}

export function NotFound() {
  return (
    <main>
      <Empty
        icon={<SearchX />}
        title={t.common.notFound}
        action={
          wasSignedIn() ? (
            <Button render={<Link to="/" />}>{t.nav.inbox}</Button>
          ) : (
            <Button render={<Link to="/login" />}>{t.nav.signIn}</Button>
          )
        }
      >
        {t.common.notFoundHelp}
      </Empty>
    </main>
  );
}

export function RoutePending() {
  return (
    <div role="status" className="flex h-full items-center justify-center">
      <span className="size-5 animate-spin-slow rounded-full border-2 border-faint border-t-transparent" />
      <span className="sr-only">{t.common.loading}</span>
    </div>
  );
}
