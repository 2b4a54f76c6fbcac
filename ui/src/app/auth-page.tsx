import type { ReactNode } from "react";
import { Logo } from "@/components/logo";
import { useTitle } from "@/lib/title";
import { t } from "@/strings";

/** The page around sign-in and set-up. */
export function AuthPage({ title, lead, children }: { title: string; lead: ReactNode; children: ReactNode }) {
  useTitle(title);
  return (
    <main className="h-full overflow-y-auto">
      <div className="flex min-h-full flex-col items-center justify-center px-5 py-10">
        <div className="mb-8 flex items-center gap-3">
          <Logo className="size-9" />
          <span className="font-semibold text-xl tracking-tight">{t.app}</span>
        </div>
        <div className="w-full max-w-sm rounded-xl border border-line bg-surface p-6 shadow-lift sm:p-7">
          <h1 className="font-semibold text-xl tracking-tight">{title}</h1>
          <p className="mt-1 mb-5 text-muted text-sm">{lead}</p>
          {children}
        </div>
        <p className="mt-6 max-w-sm text-center text-faint text-xs">{t.tagline}</p>
      </div>
    </main>
  );
}
