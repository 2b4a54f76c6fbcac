import { useQuery } from "@tanstack/react-query";
import { queries } from "@/api/queries";
import type { AlertLevel, NodeNow, Thresholds } from "@/api/types";
import { Badge } from "@/components/ui/badge";
import { cn } from "@/lib/cn";
import { bytes, duration, percent } from "@/lib/format";
import { Time, useSecond } from "@/lib/time";
import { disksOf } from "./disks";
import { levelOf, OF_LOAD, type Threshold, worst } from "./level";
import { show, tenths } from "./show";
import { words } from "./strings";

/** The servers as they are, or were when they last told. */
export function Servers({ nodes }: { nodes: NodeNow[] }) {
  // From which figure on it is too much, admins say.
  const thresholds = useQuery(queries.thresholds()).data;
  if (nodes.length === 0) return <p className="text-muted text-sm">{words.noServer}</p>;
  return (
    <ul aria-label={words.servers} className="grid gap-3 lg:grid-cols-2">
      {nodes.map((node) => (
        <Server key={node.id} node={node} thresholds={thresholds} />
      ))}
    </ul>
  );
}

function Server({ node, thresholds }: { node: NodeNow; thresholds: Thresholds | undefined }) {
  const now = useSecond();
  const { reading } = node;
  const { memory, load, processors } = reading;
  const disks = disksOf(reading);
  const shares = {
    memory: memory && memory.total > 0 ? memory.used / memory.total : null,
    load: load === null ? null : load / processors,
  };
  const at = (share: number | null, threshold: Threshold | undefined) =>
    share === null ? undefined : levelOf(100 * share, threshold);
  const levels = {
    memory: at(shares.memory, thresholds?.memory),
    disk: worst(disks.map((disk) => at(disk.share, thresholds?.disk))),
    load: at(shares.load, OF_LOAD),
  };
  const level = worst(Object.values(levels));
  return (
    <li className="flex flex-col gap-4 rounded-xl border border-line bg-surface p-4 shadow-card">
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h3 className="min-w-0 flex-1 truncate font-semibold">{node.name}</h3>
        {node.silent ? (
          <Badge tone="red">{words.silent}</Badge>
        ) : level === undefined ? (
          <Badge tone="green">{words.works}</Badge>
        ) : (
          <Badge tone={TONE[level]}>{words.level[level]}</Badge>
        )}
      </header>
      {node.silent && (
        <p className="text-red text-sm">
          {words.silentSince} <Time at={reading.at} />
        </p>
      )}
      <div className="flex flex-col gap-3">
        <Meter
          name={words.memory}
          share={shares.memory}
          text={memory ? words.of(bytes(memory.used), bytes(memory.total)) : words.unknown}
          level={levels.memory}
        />
        {disks.map((disk) => (
          <Meter
            key={disk.name}
            name={disk.name}
            share={disk.share}
            text={disk.text}
            level={at(disk.share, thresholds?.disk)}
          />
        ))}
        <Meter
          name={words.load}
          share={shares.load}
          text={
            load === null ? words.unknown : words.ofProcessors(tenths(load), processors, load > processors)
          }
          level={levels.load}
        />
      </div>
      <dl className="num grid grid-cols-2 gap-x-4 gap-y-1 text-xs sm:grid-cols-4">
        <Fact name={words.database}>
          {reading.databaseMillis === null ? (
            <span className="text-red">{words.noDatabase}</span>
          ) : (
            show(reading.databaseMillis, "millis")
          )}
        </Fact>
        <Fact name={words.process}>
          {reading.processMemory === null ? words.unknown : bytes(reading.processMemory)}
        </Fact>
        <Fact name={words.up}>
          {node.silent ? "–" : duration(Math.max(0, now - Date.parse(node.startedAt)))}
        </Fact>
        <Fact name={words.version}>{node.version}</Fact>
      </dl>
    </li>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="truncate text-faint">{name}</dt>
      <dd className="truncate">{children}</dd>
    </div>
  );
}

const TONE = { critical: "red", warning: "amber" } as const;
const COLOR = { critical: "bg-red", warning: "bg-amber", well: "bg-accent" } as const;

/** How much of something is used, and whether that is too much: in words, and by the bar's colour. */
function Meter({
  name,
  share,
  text,
  level,
}: {
  name: string;
  share: number | null;
  text: string;
  level: AlertLevel | undefined;
}) {
  // A bar has an end.
  const width = Math.min(100, Math.round(100 * (share ?? 0)));
  return (
    <div>
      <div className="mb-1 flex items-baseline justify-between gap-3 text-sm">
        <span className="flex items-baseline gap-2">
          {name}
          {level && <Badge tone={TONE[level]}>{words.level[level]}</Badge>}
        </span>
        <span className="num text-right text-muted">
          {text}
          {share !== null && ` · ${percent(share)}`}
        </span>
      </div>
      <div
        role="progressbar"
        aria-label={name}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={width}
        aria-valuetext={level ? `${text}, ${words.level[level]}` : text}
        className="h-1.5 overflow-hidden rounded-full bg-hover"
      >
        <div
          className={cn("h-full rounded-full transition-[width] duration-300", COLOR[level ?? "well"])}
          style={{ width: `${width}%` }}
        />
      </div>
    </div>
  );
}
