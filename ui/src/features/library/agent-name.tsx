import { cn } from "@/lib/cn";
import { AgentSign } from "./agent-sign";
import { useAgent } from "./queries";
import { s } from "./strings";

/** Who works on something, by sign and name. */
export function AgentName({ id, className }: { id: string; className?: string }) {
  const agent = useAgent(id);
  if (agent === undefined) return null;
  return (
    <span
      title={`${s.label}: ${agent.name}`}
      className={cn("inline-flex min-w-0 items-center gap-1", className)}
    >
      {agent.icon && <AgentSign icon={agent.icon} />}
      <span className="sr-only">{s.label} </span>
      <span className="truncate">{agent.name}</span>
    </span>
  );
}

export default AgentName;
