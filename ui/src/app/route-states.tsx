import { Link, useRouter } from "@tanstack/react-router";
import { SearchX } from "lucide-react";
import { useEffect } from "react";
import { Empty, ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { t } from "@/strings";

const RELOADED = "guildhall.reloaded";

/** A view that failed. A script that is gone means that the server was updated: the page is loaded anew, once. */
export function RouteError({ error, reset }: { error: unknown; reset?: () => void }) {
  const router = useRouter();
  const outdated =
    error instanceof TypeError && /dynamically imported module|Importing a module/i.test(error.message);
  useEffect(() => {
    if (!outdated) return;
    const last = Number(sessionStorage.getItem(RELOADED) ?? 0);
    if (Date.now() - last < 30_000) return;
    sessionStorage.setItem(RELOADED, String(Date.now()));
    location.reload();
  }, [outdated]);
  return (
    <ErrorState
      error={error}
      onRetry={() => {
        reset?.();
        void router.invalidate();
      }}
    />
  );
}

export function NotFound() {
  return (
    <main>
      <Empty
        icon={<SearchX />}
        title={t.common.notFound}
        action={<Button render={<Link to="/" />}>{t.nav.inbox}</Button>}
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
