import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { queries, useMay } from "@/api/queries";
import { isSilent } from "./silent";
import { kind, words } from "./strings";

/** Says above every view what is critical to those who can do something about it, and to everybody that no work begins. */
export default function AlertBanner() {
  return useMay("administer") ? <ForAdmins /> : <ForEverybody />;
}

function ForAdmins() {
  const now = Date.now();
  const critical = useQuery(queries.openAlerts()).data?.filter(
    (alert) => alert.level === "critical" && !isSilent(alert, now),
  );
  const first = critical?.[0];
  return (
    <Banner>
      {first && (
        <>
          <span className="font-medium">{words.of(kind[first.kind], first.about)}:</span> {first.text}{" "}
          {critical.length > 1 && words.alsoOpen(critical.length - 1)}{" "}
          <Link to="/operation/alerts" className="whitespace-nowrap font-medium underline underline-offset-2">
            {words.look}
          </Link>
        </>
      )}
    </Banner>
  );
}

function ForEverybody() {
  const strain = useQuery(queries.strain()).data;
  return <Banner>{strain?.message}</Banner>;
}

function Banner({ children }: { children: ReactNode }) {
  return (
    <div role="status" aria-live="polite">
      {children && (
        <section
          aria-label={words.title}
          className="flex items-start justify-center gap-2 bg-red-soft px-3 py-1.5 text-sm"
        >
          <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-red" />
          <p className="min-w-0 break-words">{children}</p>
        </section>
      )}
    </div>
  );
}
