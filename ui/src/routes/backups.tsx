import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Archive, DatabaseBackup, ShieldAlert, ShieldCheck } from "lucide-react";
import { body, client as http } from "@/api/client";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { Backup, BackupsView } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Section } from "@/components/page";
import { Empty, ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { WithCode } from "@/components/with-code";
import { changesSoon, problemOf, standing, underWay } from "@/features/backups/state";
import { words } from "@/features/backups/strings";
import { OperationPage } from "@/features/operation/page";
import { cn } from "@/lib/cn";
import { bytes, duration, exactTime } from "@/lib/format";
import { Time } from "@/lib/time";

/** The team's backups: whether there is a good one, how old it is, and those before it. */
export default function BackupsPage() {
  const client = useQueryClient();
  const view = useQuery({
    ...queries.backups(),
    // Nobody tells of its end; whoever waits for it looks here.
    refetchInterval: (query) =>
      query.state.data && changesSoon(query.state.data, Date.now()) ? 1_500 : 30_000,
  });
  const make = useMutation({
    mutationFn: () => body(http.POST("/api/operation/backups")),
    onSettled: () => client.invalidateQueries({ queryKey: keys.backups }),
  });
  const busy = view.data !== undefined && underWay(view.data);
  return (
    <OperationPage
      title={words.title}
      lead={words.lead}
      narrow
      actions={
        view.data?.destination && (
          <Button variant="primary" busy={make.isPending || busy} onClick={() => make.mutate()}>
            <DatabaseBackup /> {words.make}
          </Button>
        )
      }
    >
      <FormError error={make.error && asApiError(make.error)} />
      {view.data ? (
        <Shown view={view.data} />
      ) : view.isError ? (
        <ErrorState error={view.error} onRetry={() => void view.refetch()} />
      ) : (
        <Skeleton className="h-72 rounded-xl" />
      )}
    </OperationPage>
  );
}

function Shown({ view }: { view: BackupsView }) {
  const how = standing(view);
  if (how === "off") {
    return (
      <Empty icon={<Archive />} title={words.off}>
        <WithCode text={words.offText} />
      </Empty>
    );
  }
  const good = how === "good";
  const bad = how === "bad" || how === "old";
  const Shield = good ? ShieldCheck : ShieldAlert;
  return (
    <>
      <section
        aria-label={words[how]}
        className={cn(
          "mb-7 flex gap-3 rounded-xl p-4",
          good ? "bg-green-soft" : bad ? "bg-red-soft" : "bg-amber-soft",
        )}
      >
        <Shield
          aria-hidden
          className={cn("mt-0.5 size-5 shrink-0", good ? "text-green" : bad ? "text-red" : "text-amber")}
        />
        <div className="min-w-0 flex-1 text-sm">
          <p className={cn("font-semibold", bad && "text-red")}>{words[how]}</p>
          {how === "unchecked" && (
            <p className="mt-1 break-words">
              {words.uncheckedText} {view.lastGoodUnchecked}
            </p>
          )}
          <dl className="mt-2 grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1">
            <dt className="text-muted">{words.lastGood}</dt>
            <dd>{view.lastGoodAt ? <Time at={view.lastGoodAt} /> : words.never}</dd>
            <dt className="text-muted">{words.next}</dt>
            <dd>{view.nextAt ? exactTime(view.nextAt) : words.onlyAsked}</dd>
            {view.destination && (
              <>
                <dt className="text-muted">{words.destination}</dt>
                <dd className="break-all">
                  <code>{view.destination}</code>
                  <span className="block break-normal text-muted">
                    {view.sealed ? words.sealed : words.notSealed}
                  </span>
                </dd>
              </>
            )}
          </dl>
        </div>
      </section>
      <Section id="latest" title={words.list} lead={<WithCode text={words.keys} />}>
        {view.items.length === 0 ? (
          <p className="text-muted text-sm">{words.none}</p>
        ) : (
          <Rows label={words.list} all={view.items} />
        )}
      </Section>
      {view.earlierUnsound.length > 0 && (
        <Section id="earlier" title={words.earlier} lead={words.earlierText}>
          <Rows label={words.earlier} all={view.earlierUnsound} />
        </Section>
      )}
    </>
  );
}

function Rows({ label, all }: { label: string; all: Backup[] }) {
  return (
    <ul
      aria-label={label}
      className="divide-y divide-line rounded-xl border border-line bg-surface shadow-card"
    >
      {all.map((one) => (
        <Row key={one.id} one={one} />
      ))}
    </ul>
  );
}

function Row({ one }: { one: Backup }) {
  const took = one.endedAt ? Date.parse(one.endedAt) - Date.parse(one.startedAt) : undefined;
  const parts = [
    words.cause[one.cause],
    one.kind ? words.kind[one.kind] : undefined,
    typeof one.bytes === "number" ? bytes(one.bytes) : undefined,
    took !== undefined && one.status === "done" ? `${words.took} ${duration(took)}` : undefined,
    one.gone ? words.gone : undefined,
  ];
  const problem = problemOf(one);
  return (
    <li className="flex items-start gap-3 px-4 py-3 text-sm">
      <div className="min-w-0 flex-1">
        <p className="font-medium">{one.name ?? exactTime(one.startedAt)}</p>
        <p className="text-muted">
          <Time at={one.startedAt} /> · {parts.filter(Boolean).join(" · ")}
        </p>
        {problem ? (
          <p className="mt-1 whitespace-pre-wrap break-words text-red">{problem}</p>
        ) : (
          one.verifiedAt && <p className="text-green">{words.verified}</p>
        )}
        {one.unchecked && <p className="mt-1 break-words text-amber">{one.unchecked}</p>}
      </div>
      <Badge tone={problem ? "red" : one.unchecked ? "amber" : one.status === "done" ? "green" : "blue"}>
        {one.status === "done" && problem
          ? words.unsound
          : one.unchecked
            ? words.notChecked
            : words.status[one.status]}
      </Badge>
    </li>
  );
}
