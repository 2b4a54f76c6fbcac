import { useQueryClient } from "@tanstack/react-query";
import { Archive, Copy, Ellipsis, FlaskConical, Pencil, Play, Trash2 } from "lucide-react";
import { useState } from "react";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useMay, useMe, useMembers } from "@/api/queries";
import type { Agent } from "@/api/types";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Menu, MenuItem, MenuSeparator } from "@/components/ui/menu";
import { toast } from "@/components/ui/toast";
import { AgentSign } from "./agent-sign";
import { agentCalls } from "./queries";
import { s } from "./strings";

const TONE = { draft: "amber", active: "green", archived: "grey" } as const;

/** Whether a member may change an agent: its maker may, and who runs the team. */
export function useMayChange(): (agent: Agent) => boolean {
  const me = useMe().data;
  const mayBuild = useMay("build");
  const administers = useMay("administer");
  return (agent) => mayBuild && (administers || agent.createdBy === me?.id);
}

/** Agents as cards, each with what can be done with it. */
export function AgentCards({
  agents,
  onEdit,
  onTry,
}: {
  agents: Agent[];
  onEdit: (agent: Agent) => void;
  onTry: (agent: Agent) => void;
}) {
  const members = useMembers().data;
  const mayRun = useMay("run");
  const mayBuild = useMay("build");
  const mayChange = useMayChange();
  return (
    <ul className="grid grid-cols-1 gap-3 md:grid-cols-2 xl:grid-cols-3">
      {agents.map((agent) => {
        const maker = members?.find((member) => member.id === agent.createdBy)?.name;
        const tools = agent.tools.filter((tool) => tool.enabled).length;
        return (
          <li
            key={agent.id}
            className="relative flex flex-col gap-2 rounded-xl border border-line bg-surface p-4 shadow-card hover:border-line-strong"
          >
            <div className="flex items-start gap-3">
              <AgentSign icon={agent.icon} className="size-9 shrink-0 rounded-lg bg-sunken text-lg" />
              <div className="min-w-0 flex-1">
                <h2 className="truncate font-semibold">
                  <button
                    type="button"
                    onClick={() => onEdit(agent)}
                    className="max-w-full truncate rounded text-left outline-none after:absolute after:inset-0 after:rounded-xl focus-visible:after:outline-2 focus-visible:after:outline-ring"
                  >
                    {agent.name}
                  </button>
                </h2>
                <p className="truncate text-faint text-xs">
                  {agent.builtIn ? s.builtIn : maker === undefined ? "" : s.by(maker)}
                </p>
              </div>
              <Badge tone={TONE[agent.status]}>{s.status[agent.status]}</Badge>
            </div>
            <p className="line-clamp-3 flex-1 text-muted text-sm">{agent.description}</p>
            <div className="flex items-center gap-2 text-faint text-xs">
              <span className="num">{s.tools(tools)}</span>
              {agent.model.model && <span className="min-w-0 truncate">· {agent.model.model}</span>}
              <span className="relative z-10 ml-auto flex items-center gap-1">
                {mayRun && <TryButton agent={agent} onTry={() => onTry(agent)} />}
                {mayBuild && (
                  <AgentMenu agent={agent} mayChange={mayChange(agent)} onEdit={() => onEdit(agent)} />
                )}
              </span>
            </div>
          </li>
        );
      })}
    </ul>
  );
}

/** Where an agent is tried, and where one finds again what it did; of an archived one only that. */
function TryButton({ agent, onTry }: { agent: Agent; onTry: () => void }) {
  const label = agent.status === "archived" ? s.tasks : s.tryIt;
  return (
    <Button size="sm" onClick={onTry} aria-label={`${label}: ${agent.name}`}>
      <FlaskConical /> {label}
    </Button>
  );
}

function AgentMenu({ agent, mayChange, onEdit }: { agent: Agent; mayChange: boolean; onEdit: () => void }) {
  const client = useQueryClient();
  const [asked, setAsked] = useState(false);
  const act = async (deed: () => Promise<unknown>, done: string) => {
    try {
      await deed();
      await client.invalidateQueries({ queryKey: keys.agents });
      toast.done(done);
    } catch (cause) {
      toast.error(agent.name, asApiError(cause));
      throw cause;
    }
  };
  const go = (deed: () => Promise<unknown>, done: string) => void act(deed, done).catch(() => {});
  return (
    <>
      <Menu
        align="end"
        trigger={
          <Button variant="ghost" size="icon-sm" aria-label={s.menu(agent.name)}>
            <Ellipsis />
          </Button>
        }
      >
        <MenuItem icon={<Pencil />} onClick={onEdit}>
          {mayChange ? s.edit : s.look}
        </MenuItem>
        <MenuItem
          icon={<Copy />}
          onClick={() => go(() => agentCalls.duplicate(agent.id), s.duplicated(`${agent.name} (copy)`))}
        >
          {s.duplicate}
        </MenuItem>
        {mayChange && (
          <>
            <MenuSeparator />
            {agent.status !== "active" && (
              <MenuItem
                icon={<Play />}
                onClick={() => go(() => agentCalls.activate(agent.id), s.activated(agent.name))}
              >
                {s.activate}
              </MenuItem>
            )}
            {agent.status !== "archived" && (
              <MenuItem
                icon={<Archive />}
                onClick={() => go(() => agentCalls.archive(agent.id), s.archived(agent.name))}
              >
                {s.archive}
              </MenuItem>
            )}
            <MenuItem icon={<Trash2 />} danger onClick={() => setAsked(true)}>
              {s.remove}
            </MenuItem>
          </>
        )}
      </Menu>
      <Confirm
        open={asked}
        onOpenChange={setAsked}
        title={s.askRemove(agent.name)}
        confirm={s.remove}
        danger
        onConfirm={() => act(() => agentCalls.remove(agent.id), s.removed(agent.name))}
      >
        {s.removeText}
      </Confirm>
    </>
  );
}
