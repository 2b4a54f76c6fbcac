import { type UseQueryResult, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronRight, CircleCheck, CircleX, Plug, Plus } from "lucide-react";
import { useState } from "react";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { cn } from "@/lib/cn";
import { duration } from "@/lib/format";
import { Time } from "@/lib/time";
import { ServerDialog } from "./dialog";
import { waiting } from "./draft";
import { type McpProposal, type McpServerLine, mcpCalls, mcpQueries } from "./queries";
import { s } from "./strings";
import { Tools } from "./tools";
import { TryDialog } from "./try-dialog";

/** The MCP servers of a project, in its settings. */
export default function McpServers({ projectId, mayManage }: { projectId: string; mayManage: boolean }) {
  const servers = useQuery(mcpQueries.of(projectId));
  // Without them, the project's own are all that is to be shown here.
  const teams = useQuery(mcpQueries.team()).data ?? [];
  return (
    <Section title={s.title} id="mcp-servers" lead={s.lead}>
      <div className="flex flex-col items-start gap-3">
        <Servers projectId={projectId} servers={servers} none={s.none} mayManage={mayManage} />
        {teams.length > 0 && (
          <p className="text-muted text-sm">
            {s.beside(teams.map((server) => server.name))}{" "}
            <Link to="/settings" hash="team-mcp-servers" className="text-accent-text hover:underline">
              {s.teamLink}
            </Link>
          </p>
        )}
        {mayManage && <Proposals projectId={projectId} />}
      </div>
    </Section>
  );
}

/** The servers of a project, or of the whole team, and a way to add one. */
export function Servers({
  projectId,
  servers,
  none,
  mayManage,
}: {
  projectId: string | null;
  servers: UseQueryResult<McpServerLine[]>;
  /** What is said where there are none. */
  none: string;
  mayManage: boolean;
}) {
  const [adding, setAdding] = useState(false);
  return (
    <>
      {servers.isError ? (
        <ErrorState error={servers.error} onRetry={() => void servers.refetch()} className="py-6" />
      ) : servers.data === undefined ? (
        <Skeleton className="h-15 w-full rounded-xl" />
      ) : servers.data.length === 0 ? (
        <p className="text-muted text-sm">{none}</p>
      ) : (
        <ul className="w-full divide-y divide-line rounded-xl border border-line bg-surface shadow-card">
          {servers.data.map((server) => (
            <Row key={server.id} server={server} mayManage={mayManage} />
          ))}
        </ul>
      )}
      {mayManage && (
        <Button onClick={() => setAdding(true)}>
          <Plus /> {s.add}
        </Button>
      )}
      {adding && <ServerDialog projectId={projectId} onClose={() => setAdding(false)} />}
    </>
  );
}

/** What the repository names, for a member to add or to leave. */
function Proposals({ projectId }: { projectId: string }) {
  // Without a repository there is nothing to propose.
  const proposals = useQuery(mcpQueries.proposals(projectId)).data ?? [];
  const [adding, setAdding] = useState<McpProposal | null>(null);
  if (proposals.length === 0) return null;
  return (
    <div className="mt-2 w-full rounded-xl border border-line border-dashed p-4 text-sm">
      <h3 className="font-medium">{s.proposals.title}</h3>
      <p className="text-faint text-xs">{s.proposals.lead}</p>
      <ul className="mt-2 flex flex-col gap-2">
        {proposals.map((proposal) => (
          <li key={proposal.name} className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <span className="font-medium">{proposal.name}</span>
            <code className="min-w-0 flex-1 basis-40 truncate text-faint text-xs">
              {proposal.transport.kind === "stdio" ? proposal.transport.command : proposal.transport.url}
            </code>
            <Button
              size="sm"
              aria-label={s.proposals.addOf(proposal.name)}
              onClick={() => setAdding(proposal)}
            >
              {s.proposals.add}
            </Button>
          </li>
        ))}
      </ul>
      {adding && <ServerDialog projectId={projectId} proposal={adding} onClose={() => setAdding(null)} />}
    </div>
  );
}

function Row({ server, mayManage }: { server: McpServerLine; mayManage: boolean }) {
  const client = useQueryClient();
  const waits = waiting(server.tools).length;
  const [open, setOpen] = useState(waits > 0);
  const [editing, setEditing] = useState(false);
  // What it says of its tools may be long, and is read when somebody looks.
  const whole = useQuery({ ...mcpQueries.one(server.id), enabled: open || editing });
  const [removing, setRemoving] = useState(false);
  const again = () => void client.invalidateQueries({ queryKey: keys.mcpServers });
  const [choosing, setChoosing] = useState(false);
  const test = useMutation({
    mutationFn: (projectId?: string) => mcpCalls.test(server.id, projectId),
    onSuccess: (tried) => {
      again();
      if (tried.test?.problem === null) setOpen(true);
    },
    onError: (cause) => toast.error(undefined, asApiError(cause)),
  });
  const edit = useMutation({
    mutationFn: () => client.fetchQuery(mcpQueries.one(server.id)),
    onSuccess: () => setEditing(true),
    onError: (cause) => toast.error(undefined, asApiError(cause)),
  });
  const { transport } = server;
  // A program needs a sandbox; the team has none of its own.
  const asks = server.projectId === null && transport.kind === "stdio";
  return (
    <li aria-label={server.name} className="px-4 py-3 text-sm">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <Plug aria-hidden className="size-5 shrink-0 text-faint max-sm:hidden" />
        <div className="min-w-0 flex-1 basis-56">
          <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
            <span className="min-w-0 truncate font-medium">{server.name}</span>
            {!server.enabled && <Badge>{s.off}</Badge>}
            {server.enabled && waits > 0 && <Badge tone="amber">{s.waits(waits)}</Badge>}
          </p>
          <p className="truncate text-faint text-xs">
            {s.kind[transport.kind]} ·{" "}
            <code>{transport.kind === "stdio" ? transport.command : transport.url}</code>
          </p>
        </div>
        {mayManage && (
          <div className="flex flex-wrap gap-2">
            <Button
              size="sm"
              aria-label={s.test.of(server.name)}
              busy={test.isPending}
              onClick={() => (asks ? setChoosing(true) : test.mutate(undefined))}
            >
              {s.test.start}
            </Button>
            <Button
              size="sm"
              aria-label={s.editOf(server.name)}
              busy={edit.isPending}
              onClick={() => edit.mutate()}
            >
              {s.edit}
            </Button>
            <Button size="sm" aria-label={s.removeOf(server.name)} onClick={() => setRemoving(true)}>
              {s.remove}
            </Button>
          </div>
        )}
      </div>
      <Tried server={server} running={test.isPending} />
      {server.tools.length > 0 && (
        <button
          type="button"
          aria-expanded={open}
          aria-label={s.tools.of(server.name)}
          onClick={() => setOpen(!open)}
          className="mt-2 flex items-center gap-1 rounded text-muted text-xs hover:text-ink"
        >
          <ChevronRight aria-hidden className={cn("size-3.5 transition-transform", open && "rotate-90")} />
          {s.tools.show(server.tools.length)}
        </button>
      )}
      {open &&
        server.tools.length > 0 &&
        (whole.data !== undefined ? (
          <Tools server={whole.data} mayManage={mayManage} />
        ) : whole.isError ? (
          <ErrorState error={whole.error} onRetry={() => void whole.refetch()} className="py-6" />
        ) : (
          <Skeleton className="mt-3 h-15" />
        ))}
      {editing && whole.data && (
        <ServerDialog projectId={server.projectId} server={whole.data} onClose={() => setEditing(false)} />
      )}
      {choosing && (
        <TryDialog
          name={server.name}
          onTry={(projectId) => {
            setChoosing(false);
            test.mutate(projectId);
          }}
          onClose={() => setChoosing(false)}
        />
      )}
      <Confirm
        open={removing}
        onOpenChange={setRemoving}
        danger
        title={s.removeTitle(server.name)}
        confirm={s.remove}
        onConfirm={async () => {
          try {
            await mcpCalls.remove(server.id);
            again();
            toast.done(s.removed(server.name));
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          }
        }}
      >
        {s.removeText}
      </Confirm>
    </li>
  );
}

/** What came of the latest test. */
function Tried({ server: { test }, running }: { server: McpServerLine; running: boolean }) {
  return (
    <div role="status" className="mt-2 text-xs">
      {running ? (
        <p className="text-muted">{s.test.running}</p>
      ) : test === null ? (
        <p className="text-faint">{s.test.never}</p>
      ) : test.problem === null ? (
        <>
          <p className="flex flex-wrap items-center gap-x-1.5 gap-y-1 text-muted">
            <CircleCheck aria-hidden className="size-3.5 shrink-0 text-green" />
            {s.test.good(test.tools, duration(test.tookMs))}
            <span className="text-faint">
              {[test.server, test.protocol && `MCP ${test.protocol}`].filter(Boolean).join(" · ")}
            </span>
            <Time at={test.at} />
          </p>
          {test.leftOut !== null && (
            <p className="mt-1 text-muted [overflow-wrap:anywhere]">{s.test.leftOut(test.leftOut)}</p>
          )}
        </>
      ) : (
        <div className="flex gap-1.5 text-red">
          <CircleX aria-hidden className="mt-px size-3.5 shrink-0" />
          <div className="min-w-0 flex-1">
            <p className="[overflow-wrap:anywhere]">
              {s.test.bad(duration(test.tookMs))} {test.problem}
            </p>
            {test.stderr !== null && (
              <details className="mt-1 text-muted">
                <summary className="w-fit cursor-pointer rounded">{s.test.stderr}</summary>
                <pre
                  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
                  tabIndex={0}
                  className="mt-1 max-h-48 overflow-auto whitespace-pre-wrap rounded-md bg-sunken px-2 py-1.5 font-mono [overflow-wrap:anywhere]"
                >
                  {test.stderr}
                </pre>
              </details>
            )}
          </div>
        </div>
      )}
    </div>
  );
}
