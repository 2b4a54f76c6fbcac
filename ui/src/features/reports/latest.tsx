import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronDown, Sunrise } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { Report } from "@/api/types";
import { Badge } from "@/components/ui/badge";
import { cn } from "@/lib/cn";
import { ReportBody, spanOf } from "./report";
import { reports as words } from "./strings";

/** The latest morning report: open until it has been looked at, and one line afterwards. */
export default function LatestReport() {
  const latest = useQuery(queries.latestReport());
  if (!latest.data) return null;
  return <Latest key={latest.data.id} report={latest.data} />;
}

function Latest({ report }: { report: Report }) {
  const client = useQueryClient();
  const [open, setOpen] = useState(report.readAt === null);
  const read = useMutation({
    mutationFn: () => api.readReport(report.id),
    onSuccess: () => {
      client.setQueryData<Report | null>(
        keys.latestReport,
        (old) => old && { ...old, readAt: old.readAt ?? new Date().toISOString() },
      );
      void client.invalidateQueries({ queryKey: keys.reports });
    },
  });
  const toggle = () => {
    if (open && report.readAt === null) read.mutate();
    setOpen(!open);
  };
  return (
    <section
      aria-labelledby="morning-report"
      className="mb-8 rounded-xl border border-line bg-surface p-4 shadow-card"
    >
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Sunrise aria-hidden className="size-5 text-amber" />
        <h2 id="morning-report" className="font-semibold text-base">
          {words.one}
        </h2>
        {report.readAt === null && <Badge tone="accent">{words.unread}</Badge>}
        <p className="num text-faint text-xs" title={words.cause[report.cause]}>
          {spanOf(report)}
        </p>
        <div className="ml-auto flex items-center gap-3 text-sm">
          <Link to="/reports" className="text-accent-text underline underline-offset-2">
            {words.earlier}
          </Link>
          <button
            type="button"
            aria-expanded={open}
            aria-controls="morning-report-body"
            onClick={toggle}
            className="inline-flex h-7 items-center gap-1 rounded-md px-2 hover:bg-hover"
          >
            {open ? words.hide : words.show}
            <ChevronDown aria-hidden className={cn("size-4 transition-transform", open && "rotate-180")} />
          </button>
        </div>
      </div>
      <div id="morning-report-body" hidden={!open} className="mt-3">
        {open && <ReportBody report={report} />}
      </div>
    </section>
  );
}
