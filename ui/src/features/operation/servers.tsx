import { useQuery } from "@tanstack/react-query";
import { queries } from "@/api/queries";
import type { NodeNow, Thresholds } from "@/api/types";
import { Badge } from "@/components/ui/badge";
import { cn } from "@/lib/cn";
import { bytes, duration } from "@/lib/format";
import { Time, useSecond } from "@/lib/time";
import { levelOf, type Threshold } from "./level";
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
  const { memory, disk, load, processors } = reading;
  return (
    <li className="flex flex-col gap-4 rounded-xl border border-line bg-surface p-4 shadow-card">
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h3 className="min-w-0 flex-1 truncate font-semibold">{node.name}</h3>
        <Badge tone={node.silent ? "red" : "green"}>{node.silent ? words.silent : words.works}</Badge>
      </header>
      {node.silent && (
        <p className="text-red text-sm">
          {words.silentSince} <Time at={reading.at} />
        </p>
      )}
      <div className="flex flex-col gap-3">
        <Meter
          name={words.memory}
          share={memory && memory.total > 0 ? memory.used / memory.total : null}
          text={memory ? words.of(bytes(memory.used), bytes(memory.total)) : words.unknown}
          threshold={thresholds?.memory}
        />
        <Meter
          name={words.disk}
          share={disk && disk.total > 0 ? disk.used / disk.total : null}
          text={disk ? words.of(show(disk.used, "bytes"), show(disk.total, "bytes")) : words.unknown}
          threshold={thresholds?.disk}
        />
        <Meter
          name={words.load}
          share={load === null ? null : Math.min(1, load / processors)}
          text={load === null ? words.unknown : words.ofProcessors(tenths(load), processors)}
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

const COLOR = { critical: "bg-red", warning: "bg-amber", well: "bg-accent" } as const;

/** How much of something is used. Its colour says from where on it is too much. */
function Meter({
  name,
  share,
  text,
  threshold,
}: {
  name: string;
  share: number | null;
  text: string;
  threshold?: Threshold | undefined;
}) {
  const percent = Math.round(100 * (share ?? 0));
  return (
    <div>
      <div className="mb-1 flex justify-between gap-3 text-sm">
        <span>{name}</span>
        <span className="num text-muted">
          {text}
          {share !== null && ` · ${percent}%`}
        </span>
      </div>
      <div
        role="progressbar"
        aria-label={name}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
        aria-valuetext={text}
        className="h-1.5 overflow-hidden rounded-full bg-hover"
      >
        <div
          className={cn(
            "h-full rounded-full transition-[width] duration-300",
            COLOR[levelOf(100 * (share ?? 0), threshold) ?? "well"],
          )}
          style={{ width: `${percent}%` }}
        />
      </div>
    </div>
  );
}
