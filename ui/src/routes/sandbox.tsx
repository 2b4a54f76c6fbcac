import { useQuery } from "@tanstack/react-query";
import { CircleCheck, CircleX, ShieldAlert, ShieldCheck } from "lucide-react";
import { queries } from "@/api/queries";
import type { SandboxReport } from "@/api/types";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Skeleton } from "@/components/ui/skeleton";
import { WithCode } from "@/components/with-code";
import { OperationPage } from "@/features/operation/page";
import { standing } from "@/features/sandbox/state";
import { words } from "@/features/sandbox/strings";
import { cn } from "@/lib/cn";

/** What this server's host can do to keep agents apart, and what to do about what it cannot. */
export default function SandboxPage() {
  const report = useQuery(queries.sandbox());
  return (
    <OperationPage title={words.title} lead={words.lead} narrow>
      {report.data ? (
        <Report report={report.data} />
      ) : report.isError ? (
        <ErrorState error={report.error} onRetry={() => void report.refetch()} />
      ) : (
        <Skeleton className="h-72 rounded-xl" />
      )}
    </OperationPage>
  );
}

function Report({ report }: { report: SandboxReport }) {
  const how = standing(report);
  const Shield = how === "apart" ? ShieldCheck : ShieldAlert;
  return (
    <>
      <section
        aria-label={words.state[how]}
        className={cn("mb-7 flex gap-3 rounded-xl p-4", how === "apart" ? "bg-green-soft" : "bg-red-soft")}
      >
        <Shield
          aria-hidden
          className={cn("mt-0.5 size-5 shrink-0", how === "apart" ? "text-green" : "text-red")}
        />
        <div className="min-w-0 text-sm">
          <p className={cn("font-semibold", how !== "apart" && "text-red")}>{words.state[how]}</p>
          <p className="mt-1">{words[`${how}Text`]}</p>
        </div>
      </section>
      <Section id="findings" title={words.findings} lead={<WithCode text={words.doctor} />}>
        <ul
          aria-label={words.findings}
          className="divide-y divide-line rounded-xl border border-line bg-surface shadow-card"
        >
          {report.findings.map((finding) => (
            <li key={finding.name} className="flex items-start gap-3 px-4 py-3 text-sm">
              {finding.ok ? (
                <CircleCheck aria-hidden className="mt-0.5 size-4 shrink-0 text-green" />
              ) : (
                <CircleX aria-hidden className="mt-0.5 size-4 shrink-0 text-red" />
              )}
              <div className="min-w-0 flex-1">
                <p className="font-medium first-letter:uppercase">{finding.name}</p>
                <p className="break-words text-muted">{finding.detail}</p>
              </div>
              <Badge tone={finding.ok ? "green" : "red"}>{finding.ok ? words.works : words.missing}</Badge>
            </li>
          ))}
        </ul>
      </Section>
    </>
  );
}
