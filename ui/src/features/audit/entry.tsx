import { ChevronRight } from "lucide-react";
import { memo } from "react";
import type { AuditEntry, Member } from "@/api/types";
import { Badge, type Tone } from "@/components/ui/badge";
import { deviceName } from "@/features/settings/device";
import { exactTime } from "@/lib/format";
import { Time } from "@/lib/time";
import * as words from "./strings";

const TONE: Record<AuditEntry["outcome"], Tone> = { ok: "grey", refused: "red", throttled: "amber" };
const { audit } = words;

interface Names {
  members: ReadonlyMap<string, Member>;
  projects: ReadonlyMap<string, string>;
}

/** What did it where no member is named: the server by itself, or somebody from outside who had not signed in. */
export const nobodyOf = (entry: Pick<AuditEntry, "address" | "userAgent">): string =>
  entry.address === null && entry.userAgent === null ? audit.server : audit.nobody;

const settingNamed = ({ object, objectId }: AuditEntry): string | undefined =>
  object === "setting" ? words.setting[objectId ?? ""] : undefined;

/** What it was done to, by its name where the page knows it. */
function subject(entry: AuditEntry, { members, projects }: Names): string | null {
  if (entry.object === null || entry.objectId === null) return null;
  if (entry.object === "member" && entry.objectId === entry.memberId) return null;
  const known =
    entry.object === "member"
      ? members.get(entry.objectId)?.name
      : entry.object === "project"
        ? projects.get(entry.objectId)
        : (settingNamed(entry) ?? entry.detail.title ?? entry.detail.email ?? entry.detail.name);
  if (known !== undefined) return known;
  // An id says little here; the details have it.
  return /^[0-9a-f-]{36}$/.test(entry.objectId) ? null : entry.objectId;
}

/** An entry as a line, with all that is known of it on demand. */
export const Entry = memo(function Entry({ entry, ...names }: { entry: AuditEntry } & Names) {
  const member = entry.memberId === null ? null : names.members.get(entry.memberId);
  const who = entry.memberId === null ? nobodyOf(entry) : (member?.name ?? audit.gone);
  const on = subject(entry, names);
  const { field } = audit;
  const rows: [string, string | null][] = [
    [field.number, String(entry.seq)],
    [field.time, exactTime(entry.at)],
    [field.who, member ? `${member.name} (${member.email})` : who],
    [
      field.on,
      entry.object === null ? null : `${words.object[entry.object] ?? entry.object} ${entry.objectId ?? ""}`,
    ],
    ...Object.entries(entry.detail),
    [field.token, entry.tokenId],
    [field.address, entry.address],
    [field.device, entry.userAgent],
    [field.hash, entry.hash],
  ];
  return (
    <li>
      <details className="group">
        <summary className="-outline-offset-2 grid cursor-default list-none grid-cols-[auto_minmax(0,1fr)_auto] items-center gap-x-2.5 rounded-md px-3 py-2 text-sm hover:bg-hover lg:grid-cols-[auto_10rem_minmax(0,1fr)_auto_6rem] [&::-webkit-details-marker]:hidden">
          <ChevronRight
            aria-hidden
            className="size-4 text-faint transition-transform group-open:rotate-90 motion-reduce:transition-none"
          />
          <span className="truncate font-medium max-lg:col-span-2">{who}</span>
          <span className="min-w-0 truncate max-lg:col-start-2">
            {words.action[entry.action] ?? entry.action}
            {on !== null && <span className="text-muted">: {on}</span>}
            <span className="text-faint">
              {entry.tokenId !== null && ` · ${audit.byToken}`}
              {entry.userAgent !== null && entry.tokenId === null && ` · ${deviceName(entry.userAgent)}`}
            </span>
          </span>
          <span className="text-right">
            {entry.outcome !== "ok" && (
              <Badge tone={TONE[entry.outcome] ?? "grey"}>
                {words.outcome[entry.outcome] ?? entry.outcome}
              </Badge>
            )}
          </span>
          <Time
            at={entry.at}
            className="text-faint text-xs max-lg:col-start-2 max-lg:row-start-3 lg:text-right"
          />
        </summary>
        <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-5 gap-y-1 px-3 pt-1 pb-3 pl-10 text-xs">
          {rows
            .filter(([, value]) => value !== null && value !== "")
            .map(([name, value]) => (
              <div key={name} className="contents">
                <dt className="text-faint first-letter:uppercase">{name}</dt>
                <dd className="break-all font-mono">{value}</dd>
              </div>
            ))}
        </dl>
      </details>
    </li>
  );
});
