import { Bot } from "lucide-react";
import { useMe } from "@/api/queries";
import { type Option, Select } from "@/components/ui/select";
import { AgentSign } from "./agent-sign";
import { useAgents } from "./queries";
import { s } from "./strings";

const USUAL = "";

/** One of the agents that can be used for something new. */
export function AgentSelect({
  value,
  onChange,
  drafts = false,
  variant = "chip",
  disabled,
}: {
  value: string | null;
  onChange: (value: string | null) => void;
  /** Whether one's own drafts are offered as well: not on cards, which are the team's. */
  drafts?: boolean;
  variant?: "field" | "chip";
  disabled?: boolean;
}) {
  const agents = useAgents().data ?? [];
  const me = useMe().data;
  const offered = agents.filter(
    (agent) =>
      agent.status === "active" || (drafts && agent.status === "draft" && agent.createdBy === me?.id),
  );
  const options: Option<string>[] = [
    { value: USUAL, label: s.usual, help: s.usualHelp, icon: <Bot className="size-3.5" /> },
    ...offered.map((agent) => ({
      value: agent.id,
      label: agent.name,
      help: agent.description,
      icon: <AgentSign icon={agent.icon} className="w-3.5 leading-4" />,
    })),
  ];
  // One that can no longer be chosen is shown all the same: it is what the card says.
  if (value !== null && !options.some((option) => option.value === value)) {
    const known = agents.find((agent) => agent.id === value);
    options.push({ value, label: known?.name ?? s.gone, ...(known ? { help: s.status[known.status] } : {}) });
  }
  return (
    <Select
      variant={variant}
      {...(variant === "chip" ? { label: s.label } : {})}
      value={value ?? USUAL}
      onChange={(next) => onChange(next === USUAL ? null : next)}
      options={options}
      {...(disabled ? { disabled } : {})}
    />
  );
}
