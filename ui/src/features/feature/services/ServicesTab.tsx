import {
  ChevronRight,
  CircleDot,
  CircleSlash,
  CircleX,
  ExternalLink,
  Plus,
  ServerCog,
  Square,
} from "lucide-react";
import { use, useMemo, useState } from "react";
import { isLost } from "@/api/error";
import { useMay, useMembers } from "@/api/queries";
import type { Run, Service } from "@/api/types";
import { Empty, ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { cn } from "@/lib/cn";
import { duration } from "@/lib/format";
import { Elapsed, Time } from "@/lib/time";
import { useLiveOutput } from "@/live/output";
import { Level } from "../level";
import { Terminal } from "../live/Terminal";
import { s } from "../strings";
import { joinOf, textOf } from "./log";
import {
  hasWorktree,
  isAtWork,
  useMayEnter,
  useOpenPages,
  useServiceLog,
  useServices,
  useStopService,
} from "./queries";
import { StartForm, type Wish } from "./StartForm";
import { STATUS, v } from "./strings";

/** What runs on in the worktree of a run: an agent's servers and watchers, and those of members who look at the work. */
export function ServicesTab({ run }: { run: Run | undefined }) {
  const services = useServices(run?.id);
  const mayRun = useMay("run");
  const mayEnter = useMayEnter(run);
  const [wish, setWish] = useState<Wish | null>(null);
  const Heading = use(Level);

  if (run === undefined)
    return (
      <Empty icon={<ServerCog />} title={v.none}>
        {v.noneYet}
      </Empty>
    );
  if (isLost(services)) return <ErrorState error={services.error} onRetry={() => void services.refetch()} />;
  if (services.isPending)
    return (
      <div role="status" className="mx-auto flex max-w-4xl flex-col gap-2 p-4">
        <Skeleton className="h-11 rounded-lg" />
      </div>
    );
  const mayStart = mayEnter && hasWorktree(run) && !isAtWork(run);
  const all = services.data;
  const add = mayStart && wish === null && (
    <Button variant={all.length === 0 ? "primary" : "secondary"} onClick={() => setWish({})}>
      <Plus /> {v.add}
    </Button>
  );
  if (all.length === 0 && wish === null)
    return (
      <Empty icon={<ServerCog />} title={v.none} action={add}>
        <p>{v.noneText}</p>
        {isAtWork(run) && mayEnter && <p className="mt-2">{v.atWork}</p>}
      </Empty>
    );
  return (
    <div className="h-full overflow-y-auto scroll-thin">
      <div className="mx-auto flex max-w-4xl flex-col gap-4 p-4 @3xl:px-6">
        <div className="flex min-h-8 items-center gap-2">
          <Heading className="flex-1 font-medium text-faint text-xs">{v.title}</Heading>
          {add}
        </div>
        {wish !== null && (
          <StartForm key={wish.name ?? ""} runId={run.id} wish={wish} onDone={() => setWish(null)} />
        )}
        {all.length > 0 && (
          <ul className="overflow-hidden rounded-xl border border-line bg-surface shadow-card">
            {all.map((service) => (
              <li key={service.name} className="border-line border-b last:border-b-0">
                <One service={service} mayRun={mayRun} {...(mayStart ? { onAgain: setWish } : {})} />
              </li>
            ))}
          </ul>
        )}
      </div>
    </div>
  );
}

const LOOK = {
  running: [CircleDot, "text-green"],
  ended: [CircleSlash, "text-faint"],
  stopped: [Square, "text-faint"],
  lost: [CircleX, "text-red"],
} as const;

function One({
  service,
  mayRun,
  onAgain,
}: {
  service: Service;
  mayRun: boolean;
  onAgain?: (wish: Wish) => void;
}) {
  const running = service.status === "running";
  const [chosen, setChosen] = useState<boolean | null>(null);
  const open = chosen ?? running;
  const stop = useStopService();
  const pages = useOpenPages();
  const members = useMembers();
  const who = members.data?.find((member) => member.id === service.memberId)?.name;
  const [Icon, tone] = LOOK[service.status];
  const failed = service.status === "ended" && service.exitCode !== 0;
  const how =
    service.status !== "ended" ? null : service.exitCode === null ? v.signal : v.exit(service.exitCode);
  return (
    <>
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1 pr-3">
        <button
          type="button"
          aria-expanded={open}
          onClick={() => setChosen(!open)}
          className="-outline-offset-2 flex min-h-11 min-w-0 flex-1 items-center gap-2.5 py-1.5 pl-3 text-left hover:bg-hover"
        >
          <Icon
            aria-label={STATUS[service.status]}
            className={cn("size-4 shrink-0", failed ? "text-red" : tone)}
          />
          <span className="shrink-0 font-medium text-sm">{service.name}</span>
          <code className="min-w-0 flex-1 truncate text-faint text-xs" title={service.command}>
            {service.command}
          </code>
          <ChevronRight
            aria-hidden
            className={cn(
              "size-4 shrink-0 text-faint transition-transform duration-100",
              open && "rotate-90",
            )}
          />
        </button>
        {running && service.port !== null && (
          <Button
            size="sm"
            busy={pages.isPending}
            aria-label={v.openOne(service.name)}
            onClick={() => pages.mutate(service)}
          >
            <ExternalLink /> {v.open}
          </Button>
        )}
        {running && mayRun && (
          <Button
            size="sm"
            busy={stop.isPending}
            aria-label={v.stopOne(service.name)}
            onClick={() => stop.mutate(service)}
          >
            <Square /> {v.stop}
          </Button>
        )}
        {!running && onAgain && (
          <Button
            size="sm"
            onClick={() =>
              onAgain({ name: service.name, command: service.command, port: service.port ?? undefined })
            }
          >
            {v.again}
          </Button>
        )}
      </div>
      {open && (
        <div className="flex flex-col gap-2 px-3 pb-3">
          <p className="num flex flex-wrap gap-x-3 text-faint text-xs">
            {how !== null && <span className={failed ? "text-red" : ""}>{how}</span>}
            <span>{service.memberId === null ? v.byAgent : v.by(who ?? "…")}</span>
            {service.port !== null && <span>{v.at(service.port)}</span>}
            {service.endedAt === null ? (
              <>
                <Elapsed since={service.startedAt} />
                {running && service.until !== null && (
                  <span>
                    {v.until} <Time at={service.until} />
                  </span>
                )}
              </>
            ) : (
              <>
                <span>{duration(Date.parse(service.endedAt) - Date.parse(service.startedAt))}</span>
                <Time at={service.endedAt} />
              </>
            )}
            {service.problem !== null && <span>{service.problem}</span>}
          </p>
          <Log service={service} />
        </div>
      )}
    </>
  );
}

function Log({ service }: { service: Service }) {
  const running = service.status === "running";
  const live = useLiveOutput(running ? service.runId : null).find(
    (entry) => entry.stream.kind === "service" && entry.stream.service === service.id,
  );
  const missing = live?.missing ?? 0;
  const kept = useServiceLog(service, !running || live === undefined || missing > 0, missing);
  // biome-ignore lint/correctness/useExhaustiveDependencies: they are joined once, and go on together from there.
  const joined = useMemo(
    () => (live === undefined || missing === 0 || kept.data === undefined ? null : joinOf(kept.data, live)),
    [kept.data, missing],
  );
  const text = live === undefined ? (kept.data ?? "") : textOf(joined, live);
  if (text === "") return <p className="text-faint text-xs">{s.live.noOutput}</p>;
  return (
    <Terminal
      text={text}
      live={running}
      missing={missing > 0 && joined === null}
      label={v.log(service.name)}
    />
  );
}
