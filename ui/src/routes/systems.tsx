import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Copy, EllipsisVertical, Play, Plus, SearchX, Trash2, Workflow } from "lucide-react";
import { useState } from "react";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useMay, useMe, useMembers, useProjects } from "@/api/queries";
import type { SystemListItem } from "@/api/types";
import { Page, Section } from "@/components/page";
import { Empty, ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Input } from "@/components/ui/input";
import { Menu, MenuItem } from "@/components/ui/menu";
import { Select } from "@/components/ui/select";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { AgentSign } from "@/features/library/agent-sign";
import { systemQueries, systemsApi } from "@/features/systems/api";
import { categoriesOf, found } from "@/features/systems/found";
import { ExecutionBadge } from "@/features/systems/icons";
import { freshSystem } from "@/features/systems/model";
import { RunDialog } from "@/features/systems/run-dialog";
import { systemStatus, w } from "@/features/systems/strings";
import { exactMoney, money, shortCount } from "@/lib/format";
import { Time } from "@/lib/time";

/** The systems of the team, those that come with Guildhall, and what was run. */
export default function SystemsPage() {
  const systems = useQuery(systemQueries.systems());
  const client = useQueryClient();
  const navigate = useNavigate();
  const mayBuild = useMay("build");
  const [running, setRunning] = useState<SystemListItem | null>(null);
  const [text, setText] = useState("");
  const [category, setCategory] = useState("");
  const open = (id: string) => void navigate({ to: "/systems/$systemId", params: { systemId: id } });
  const add = useMutation({
    mutationFn: () => systemsApi.create(freshSystem(w.fresh)),
    onSuccess: (system) => {
      void client.invalidateQueries({ queryKey: keys.systems, exact: true });
      open(system.id);
    },
    onError: (cause) => toast.error(undefined, asApiError(cause)),
  });
  if (systems.isError && systems.data === undefined)
    return (
      <Page title={w.title} lead={w.lead} width="lg">
        <ErrorState error={systems.error} onRetry={() => void systems.refetch()} />
      </Page>
    );
  const all = systems.data ?? [];
  const categories = categoriesOf(all);
  const wanted = found(all, text, category);
  const own = wanted.filter((system) => !system.builtIn);
  const given = wanted.filter((system) => system.builtIn);
  const narrowed = text.trim() !== "" || category !== "";
  return (
    <Page
      title={w.title}
      lead={w.lead}
      width="lg"
      actions={
        mayBuild && (
          <Button variant="primary" busy={add.isPending} onClick={() => add.mutate()}>
            <Plus /> {w.add}
          </Button>
        )
      }
    >
      <search className="mb-6 flex flex-wrap gap-2">
        <Input
          type="search"
          aria-label={w.search}
          placeholder={w.search}
          value={text}
          onChange={(event) => setText(event.target.value)}
          className="max-w-72 flex-1"
        />
        {categories.length > 0 && (
          <Select
            label={w.category}
            value={category}
            onChange={setCategory}
            className="w-44"
            options={[
              { value: "", label: w.anyCategory },
              ...categories.map((one) => ({ value: one, label: one })),
            ]}
          />
        )}
      </search>
      {narrowed && wanted.length === 0 && systems.data !== undefined && (
        <Empty
          icon={<SearchX />}
          title={w.noneFound}
          className="py-6"
          action={
            <Button
              onClick={() => {
                setText("");
                setCategory("");
              }}
            >
              {w.clear}
            </Button>
          }
        />
      )}
      {/* What one looks for and is not among them needs no heading. */}
      {(own.length > 0 || !narrowed) && (
        <Section title={w.own} id="own">
          {systems.isPending ? (
            <Skeleton className="h-28 rounded-xl" />
          ) : own.length === 0 ? (
            <Empty icon={<Workflow />} title={w.none} className="py-6">
              {mayBuild ? w.noneHelp : w.noneForViewer}
            </Empty>
          ) : (
            <Cards systems={own} onRun={setRunning} />
          )}
        </Section>
      )}
      {(given.length > 0 || !narrowed) && (
        <Section title={w.builtIn} id="built-in">
          {systems.isPending ? (
            <Skeleton className="h-28 rounded-xl" />
          ) : (
            <Cards systems={given} onRun={setRunning} />
          )}
        </Section>
      )}
      <Executions />
      {running && (
        <RunDialog
          id={running.id}
          name={running.name}
          schema={running.inputSchema}
          draft={running.status === "draft"}
          onClose={() => setRunning(null)}
        />
      )}
    </Page>
  );
}

function Cards({ systems, onRun }: { systems: SystemListItem[]; onRun: (system: SystemListItem) => void }) {
  return (
    <ul className="grid gap-3 lg:grid-cols-2">
      {systems.map((system) => (
        <Card key={system.id} system={system} onRun={() => onRun(system)} />
      ))}
    </ul>
  );
}

function Card({ system, onRun }: { system: SystemListItem; onRun: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const me = useMe().data;
  const mayBuild = useMay("build");
  const mayRun = useMay("run");
  const runs = useMay("administer");
  const [removing, setRemoving] = useState(false);
  const mine = !system.builtIn && mayBuild && (system.createdBy === me?.id || runs);
  const stale = () => void client.invalidateQueries({ queryKey: keys.systems, exact: true });
  const duplicate = async () => {
    try {
      const copy = await systemsApi.duplicate(system.id);
      stale();
      toast.done(w.duplicated);
      void navigate({ to: "/systems/$systemId", params: { systemId: copy.id } });
    } catch (cause) {
      toast.error(undefined, asApiError(cause));
    }
  };
  return (
    <li className="flex flex-col gap-2 rounded-xl border border-line bg-surface p-4 shadow-card">
      <div className="flex items-start gap-2">
        <AgentSign
          icon={system.icon}
          otherwise={Workflow}
          className="size-6 shrink-0 rounded-md bg-sunken text-sm"
        />
        <h3 className="min-w-0 flex-1 font-medium">
          <Link
            to="/systems/$systemId"
            params={{ systemId: system.id }}
            className="rounded underline-offset-2 hover:underline"
          >
            {system.name}
          </Link>
        </h3>
        {!system.builtIn && (
          <Badge tone={system.status === "active" ? "green" : "grey"}>{systemStatus[system.status]}</Badge>
        )}
      </div>
      <p className="text-muted text-sm">{system.description}</p>
      <div className="mt-auto flex flex-wrap items-center gap-x-3 gap-y-2 pt-1">
        <p className="num text-faint text-xs">
          {w.agentsOf(system.agents)}, {w.steps(system.steps)}
          {system.tags.length > 0 && <> · {system.tags.join(", ")}</>}
        </p>
        <span className="ml-auto flex gap-1.5">
          {mayBuild && (
            <Menu
              align="end"
              trigger={
                <Button variant="ghost" size="icon-sm" aria-label={w.more(system.name)}>
                  <EllipsisVertical />
                </Button>
              }
            >
              <MenuItem icon={<Copy />} onClick={() => void duplicate()}>
                {w.duplicate}
              </MenuItem>
              {mine && (
                <MenuItem icon={<Trash2 />} danger onClick={() => setRemoving(true)}>
                  {w.remove}
                </MenuItem>
              )}
            </Menu>
          )}
          {mayRun && (
            <Button size="sm" disabled={system.status === "archived"} onClick={onRun}>
              <Play /> {w.run}
              <span className="sr-only"> {system.name}</span>
            </Button>
          )}
        </span>
      </div>
      <Confirm
        open={removing}
        onOpenChange={setRemoving}
        title={w.removeTitle(system.name)}
        confirm={w.remove}
        danger
        onConfirm={async () => {
          try {
            await systemsApi.remove(system.id);
            stale();
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          }
        }}
      >
        {w.removeText}
      </Confirm>
    </li>
  );
}

function Executions() {
  const list = useInfiniteQuery(systemQueries.executions());
  const projects = useProjects().data;
  const members = useMembers().data;
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Section title={w.executions} id="executions">
      {list.isPending ? (
        <Skeleton className="h-28 rounded-xl" />
      ) : list.isError && list.data === undefined ? (
        <ErrorState error={list.error} onRetry={() => void list.refetch()} />
      ) : items.length === 0 ? (
        <Empty title={w.noExecutions} className="py-6">
          {w.noExecutionsHelp}
        </Empty>
      ) : (
        <ul className="divide-y divide-line rounded-xl border border-line bg-surface shadow-card">
          {items.map((execution) => (
            <li
              key={execution.id}
              className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2.5 text-sm"
            >
              <Link
                to="/executions/$executionId"
                params={{ executionId: execution.id }}
                className="min-w-0 flex-1 basis-40 truncate rounded font-medium underline-offset-2 hover:underline"
              >
                {execution.name}
                {execution.about && <span className="font-normal text-muted"> · {execution.about}</span>}
              </Link>
              <ExecutionBadge status={execution.status} />
              <span className="num text-faint text-xs">
                {projects?.find((project) => project.id === execution.projectId)?.name}
                {" · "}
                {members?.find((member) => member.id === execution.memberId)?.name}
                {" · "}
                <span title={exactMoney(execution.costMicros)}>{money(execution.costMicros)}</span>
                {" · "}
                {shortCount(execution.tokens)} {w.execution.tokens.toLowerCase()}
                {" · "}
                <Time at={execution.createdAt} className="whitespace-nowrap" />
              </span>
            </li>
          ))}
        </ul>
      )}
      {list.hasNextPage && (
        <Button className="mt-4" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {w.showMore}
        </Button>
      )}
    </Section>
  );
}
