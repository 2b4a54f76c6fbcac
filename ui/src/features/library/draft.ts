import type { Agent, AgentDraft, KnownTool, ThinkingLevel } from "@/api/types";
import type { Chosen } from "@/features/mcp/draft";

/** Everything that the editor of an agent holds, as it is typed. */
export interface AgentFormDraft {
  name: string;
  description: string;
  systemPrompt: string;
  icon: string;
  model: string | null;
  thinking: ThinkingLevel | null;
  maxTokens: string;
  temperature: string;
  tags: string;
  /** Which tools are switched on; those that the page does not know are among them. */
  tools: Record<string, boolean>;
  /** Which MCP servers, and which of their tools. */
  servers: Chosen;
}

/** A new agent begins with the tools that change nothing. */
const LOOKING = { read: true, glob: true, grep: true };

export function draftOf(agent: Agent | null): AgentFormDraft {
  const number = (value: number | null | undefined) => (value == null ? "" : String(value));
  return {
    name: agent?.name ?? "",
    description: agent?.description ?? "",
    systemPrompt: agent?.systemPrompt ?? "",
    icon: agent?.icon ?? "",
    model: agent?.model.model ?? null,
    thinking: agent?.model.thinking ?? null,
    maxTokens: number(agent?.model.maxTokens),
    temperature: number(agent?.model.temperature),
    tags: agent?.tags.join(", ") ?? "",
    tools:
      agent === null ? LOOKING : Object.fromEntries(agent.tools.map(({ name, enabled }) => [name, enabled])),
    servers: Object.fromEntries(
      (agent?.mcpServers ?? []).map(({ serverId, enabledTools }) => [serverId, enabledTools ?? null]),
    ),
  };
}

/** What is sent. What is no number is sent as one that the server refuses, so that the field says why. */
export function toWish(draft: AgentFormDraft, known: KnownTool[]): AgentDraft {
  const number = (text: string) => {
    if (text.trim() === "") return null;
    const value = Number(text.trim().replace(",", "."));
    return Number.isFinite(value) ? value : -1;
  };
  const tokens = number(draft.maxTokens);
  const names = [...new Set([...known.map((tool) => tool.name), ...Object.keys(draft.tools)])];
  const tags = draft.tags.split(",").map((tag) => tag.trim());
  return {
    name: draft.name.trim(),
    description: draft.description.trim(),
    systemPrompt: draft.systemPrompt,
    ...(draft.icon.trim() === "" ? {} : { icon: draft.icon.trim() }),
    model: {
      model: draft.model,
      thinking: draft.thinking,
      maxTokens: tokens === null ? null : Math.trunc(tokens),
      temperature: number(draft.temperature),
      provider: null,
    },
    tools: names.map((name) => ({ name, enabled: draft.tools[name] ?? false })),
    mcpServers: Object.entries(draft.servers).map(([serverId, enabledTools]) => ({ serverId, enabledTools })),
    tags: [...new Set(tags.filter((tag) => tag !== ""))],
  };
}

/** Agents with this text in name, description or tags. */
export function found(agents: Agent[], text: string): Agent[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return agents;
  return agents.filter((agent) =>
    [agent.name, agent.description, ...agent.tags].some((words) => words.toLowerCase().includes(wanted)),
  );
}
