import { useQuery } from "@tanstack/react-query";
import { Badge } from "@/components/ui/badge";
import { Skeleton } from "@/components/ui/skeleton";
import { Switch } from "@/components/ui/switch";
import { type Chosen, choices } from "./draft";
import { mcpQueries } from "./queries";
import { s } from "./strings";

/** Which MCP servers an agent has, and which of their tools. */
export function AgentServers({
  chosen,
  onChange,
  disabled,
  error,
}: {
  chosen: Chosen;
  onChange: (chosen: Chosen) => void;
  disabled: boolean;
  error: string | undefined;
}) {
  const servers = useQuery(mcpQueries.all());
  // What an id means is known with them.
  const known = servers.isPending ? [] : choices(servers.data ?? [], chosen);
  const set = (ref: string, tools: string[] | null | undefined) => {
    const { [ref]: _, ...rest } = chosen;
    onChange(tools === undefined ? rest : { ...rest, [ref]: tools });
  };
  return (
    <fieldset className="flex min-w-0 flex-col gap-2.5">
      <legend className="font-medium text-sm">{s.agent.title}</legend>
      <p className="text-faint text-xs">
        {servers.data !== undefined && known.length === 0 ? s.agent.none : s.agent.help}
      </p>
      {servers.isPending && <Skeleton className="h-10" />}
      {known.map(({ ref, name, tools, mine, team, there }, at) => {
        // Switched off, one by its id makes room for its name: the switch stays, and the focus on it.
        const first = known[at - 1]?.name !== name;
        return (
          <div key={first ? name : ref} className="flex flex-col gap-2">
            <Switch
              label={
                <span className="inline-flex flex-wrap items-center gap-x-2 gap-y-1">
                  <span className="font-mono text-xs">{name}</span>
                  {team && <Badge tone="outline">{s.agent.team}</Badge>}
                  {ref !== name && <Badge tone="outline">{s.agent.byId}</Badge>}
                </span>
              }
              help={
                servers.data !== undefined && !there
                  ? s.agent.unknown
                  : mine === null
                    ? s.agent.all
                    : mine !== undefined
                      ? s.agent.only(mine.length)
                      : undefined
              }
              checked={mine !== undefined}
              disabled={disabled}
              onChange={(on) => set(ref, on ? null : undefined)}
            />
            {mine !== undefined && tools.length > 0 && (
              <fieldset aria-label={s.agent.choose(name)} className="grid gap-1.5 pl-10.5 sm:grid-cols-2">
                {tools.map((tool) => (
                  <label key={tool} className="flex items-center gap-2 text-xs">
                    <input
                      type="checkbox"
                      checked={mine === null || mine.includes(tool)}
                      disabled={disabled}
                      onChange={(event) => {
                        const before = mine ?? tools;
                        const next = event.target.checked
                          ? [...before, tool]
                          : before.filter((other) => other !== tool);
                        // With all of them on, it has those as well that the server will offer later.
                        set(ref, tools.every((other) => next.includes(other)) ? null : next);
                      }}
                      className="size-4 shrink-0 accent-(--accent)"
                    />
                    <span className="min-w-0 break-all font-mono">{tool}</span>
                  </label>
                ))}
              </fieldset>
            )}
          </div>
        );
      })}
      {error && (
        <p role="alert" className="text-red text-xs">
          {error}
        </p>
      )}
    </fieldset>
  );
}
