import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { TriangleAlert } from "lucide-react";
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { queries, useMay } from "@/api/queries";
import { cn } from "@/lib/cn";
import { kind, banner as words } from "./banner-strings";
import { isSilent } from "./silent";

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
    <Banner
      action={
        <Link to="/operation/alerts" className={link}>
          {words.look}
        </Link>
      }
    >
      {first && (
        <>
          <span className="font-medium">{words.of(kind[first.kind], first.about)}:</span> {first.text}{" "}
          {critical.length > 1 && words.alsoOpen(critical.length - 1)}
        </>
      )}
    </Banner>
  );
}

function ForEverybody() {
  const strain = useQuery(queries.strain()).data;
  return <Banner>{strain?.message}</Banner>;
}

const link = "shrink-0 whitespace-nowrap rounded font-medium underline underline-offset-2";

/** One line, so that the view keeps the page; all of it when somebody asks. */
function Banner({ action, children }: { action?: ReactNode; children: ReactNode }) {
  const id = useId();
  const text = useRef<HTMLParagraphElement>(null);
  const [cut, setCut] = useState(false);
  const [whole, setWhole] = useState(false);
  useEffect(() => {
    const line = text.current;
    if (line === null || children === undefined) return;
    const watch = new ResizeObserver(() => setCut(line.scrollWidth > line.clientWidth));
    watch.observe(line);
    return () => watch.disconnect();
  }, [children]);
  return (
    <div role="status" aria-live="polite">
      {children && (
        <section
          aria-label={words.title}
          className="flex items-start justify-center gap-2 bg-red-soft px-3 py-1.5 text-sm short:py-0.5"
        >
          <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-red" />
          <p ref={text} id={id} className={cn("min-w-0", whole ? "break-words" : "truncate")}>
            {children}
          </p>
          {(cut || whole) && (
            <button
              type="button"
              aria-expanded={whole}
              aria-controls={id}
              onClick={() => setWhole(!whole)}
              className={link}
            >
              {whole ? words.less : words.whole}
            </button>
          )}
          {action}
        </section>
      )}
    </div>
  );
}
