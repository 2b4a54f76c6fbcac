import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Bell, BellOff, CircleAlert, CircleCheckBig, TriangleAlert } from "lucide-react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { Alert } from "@/api/types";
import { Section } from "@/components/page";
import { Empty, ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Menu, MenuItem, MenuLabel } from "@/components/ui/menu";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { cn } from "@/lib/cn";
import { Time, useNow } from "@/lib/time";
import { isSilent } from "./silent";
import { figure, kind, level, words } from "./strings";

/** What needs somebody now. */
export function OpenAlerts() {
  const open = useQuery(queries.openAlerts());
  return (
    <Section id="open-alerts" title={words.open} lead={words.openLead}>
      {open.data === undefined ? (
        open.isError ? (
          <ErrorState error={open.error} onRetry={() => void open.refetch()} className="py-6" />
        ) : (
          <Skeleton className="h-28 rounded-xl" />
        )
      ) : open.data.length === 0 ? (
        <Empty icon={<CircleCheckBig />} title={words.none} className="py-8">
          {words.noneHelp}
        </Empty>
      ) : (
        <ul aria-label={words.open} className="flex flex-col gap-3">
          {open.data.map((alert) => (
            <Row key={alert.id} alert={alert} />
          ))}
        </ul>
      )}
    </Section>
  );
}

function Row({ alert }: { alert: Alert }) {
  const critical = alert.level === "critical";
  const Icon = critical ? CircleAlert : TriangleAlert;
  const what = words.of(kind[alert.kind], alert.about);
  const shown = figure[alert.kind];
  return (
    <li
      className={cn(
        "rounded-xl border bg-surface p-4 shadow-card",
        critical ? "border-red/40" : "border-amber/40",
      )}
    >
      <div className="flex flex-wrap items-start gap-x-3 gap-y-2">
        <Icon aria-hidden className={cn("mt-0.5 size-4.5 shrink-0", critical ? "text-red" : "text-amber")} />
        <div className="min-w-52 flex-1">
          <h3 className="flex flex-wrap items-center gap-2 font-semibold text-sm">
            {what} <Badge tone={critical ? "red" : "amber"}>{level[alert.level]}</Badge>
          </h3>
          <p className="mt-1 break-words text-sm">{alert.text}</p>
          <dl className="num mt-2 flex flex-wrap gap-x-5 gap-y-1 text-muted text-xs">
            <Fact name={words.since}>
              <Time at={alert.raisedAt} />
            </Fact>
            {shown && (
              <>
                <Fact name={words.now}>{shown(alert.value)}</Fact>
                <Fact name={words.worst}>{shown(alert.worst)}</Fact>
              </>
            )}
          </dl>
        </div>
        <Silence alert={alert} what={what} />
      </div>
    </li>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className="flex gap-1.5">
      <dt className="text-faint">{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Silence({ alert, what }: { alert: Alert; what: string }) {
  const client = useQueryClient();
  const now = useNow();
  const silence = useMutation({
    mutationFn: (minutes: number | null) => api.silenceAlert(alert.id, minutes),
    onSuccess: (_, minutes) => {
      void client.invalidateQueries({ queryKey: keys.alerts });
      toast.done(minutes === null ? words.loudAgain : words.silenced);
    },
    onError: (cause) => toast.error(undefined, asApiError(cause)),
  });
  if (alert.silencedUntil !== null && isSilent(alert, now))
    return (
      <div className="flex flex-wrap items-center gap-2">
        <span className="text-muted text-xs">
          {words.silent} <Time at={alert.silencedUntil} />
        </span>
        <Button
          size="sm"
          busy={silence.isPending}
          aria-label={words.loudOf(what)}
          onClick={() => silence.mutate(null)}
        >
          <Bell /> {words.loud}
        </Button>
      </div>
    );
  return (
    <Menu
      align="end"
      trigger={
        <Button size="sm" busy={silence.isPending} aria-label={words.silenceOf(what)}>
          <BellOff /> {words.silence}
        </Button>
      }
    >
      <MenuLabel>{words.silenceHelp}</MenuLabel>
      {words.times.map(({ minutes, label }) => (
        <MenuItem key={minutes} onClick={() => silence.mutate(minutes)}>
          {label}
        </MenuItem>
      ))}
    </Menu>
  );
}
