import type {
  McpProposal,
  McpServer,
  McpServerChange,
  McpServerDraft,
  McpServerLine,
  McpShape,
  McpToolLine,
} from "./queries";

/** A variable or header, as it is typed. */
export interface ValueDraft {
  /** For the page alone. */
  key: number;
  name: string;
  value: string;
  secret: boolean;
  /** It is a secret that is there already and stays when nothing is typed. */
  kept: boolean;
}

/** Everything that the form of a server holds, as it is typed. */
export interface ServerFormDraft {
  name: string;
  kind: "stdio" | "http";
  command: string;
  url: string;
  values: ValueDraft[];
  seconds: string;
  enabled: boolean;
  trusted: boolean;
}

let keys = 0;
export const emptyValue = (): ValueDraft => {
  keys += 1;
  return { key: keys, name: "", value: "", secret: true, kept: false };
};

export function draftOf(server: McpServer | undefined): ServerFormDraft {
  const transport = server?.transport;
  return {
    name: server?.name ?? "",
    kind: transport?.kind ?? "stdio",
    command: transport?.kind === "stdio" ? transport.command : "",
    url: transport?.kind === "http" ? transport.url : "",
    values: (server?.values ?? []).map((value) => ({
      ...emptyValue(),
      name: value.name,
      value: value.value ?? "",
      secret: value.secret,
      kept: value.secret,
    })),
    seconds: String(server?.timeoutSeconds ?? 60),
    enabled: server?.enabled ?? true,
    trusted: server?.trusted ?? false,
  };
}

/** A server that the repository names, in the form: its values are for the member to give. */
export function proposedDraft(proposal: McpProposal): ServerFormDraft {
  const values = proposal.values.map((name) => ({ ...emptyValue(), name }));
  const { transport } = proposal;
  return {
    ...draftOf(undefined),
    name: proposal.name,
    kind: transport.kind,
    command: transport.kind === "stdio" ? transport.command : "",
    url: transport.kind === "http" ? transport.url : "",
    values,
  };
}

const transportOf = (draft: ServerFormDraft): McpServerDraft["transport"] =>
  draft.kind === "stdio"
    ? { kind: "stdio", command: draft.command.trim() }
    : { kind: "http", url: draft.url.trim() };

/**
 * The form with another command or address: what was trusted is what was at the former one. Back there, it is as it was; at a new one
 * a member may say anew that it is trusted.
 */
export function moved(
  beginning: ServerFormDraft,
  draft: ServerFormDraft,
  to: Partial<Pick<ServerFormDraft, "kind" | "command" | "url">>,
): ServerFormDraft {
  const next = { ...draft, ...to };
  const place = (of: ServerFormDraft) => JSON.stringify(transportOf(of));
  if (place(next) === place(draft)) return next;
  return { ...next, trusted: place(next) === place(beginning) && beginning.trusted };
}

/** What is sent. What is no number is sent as one that the server refuses, so that the field says why. */
export function toDraft(draft: ServerFormDraft): McpServerDraft {
  const seconds = Number(draft.seconds.trim());
  return {
    name: draft.name.trim(),
    transport: transportOf(draft),
    values: draft.values
      .filter((value) => value.name.trim() !== "" || value.value !== "")
      .map(({ name, value, secret, kept }) => ({
        name: name.trim(),
        secret,
        ...(kept && secret && value === "" ? {} : { value }),
      })),
    timeoutSeconds: Number.isFinite(seconds) ? Math.trunc(seconds) : -1,
  };
}

export function toChange(draft: ServerFormDraft): McpServerChange {
  return { ...toDraft(draft), enabled: draft.enabled, trusted: draft.trusted };
}

/** What a server says of a tool, as text that can be read and compared. */
export function shapeText(shape: McpShape): string {
  const schema = (value: unknown) => JSON.stringify(sorted(value), null, 2);
  const parts = [shape.description, `Arguments:\n${schema(shape.inputSchema)}`];
  if (shape.outputSchema !== null && shape.outputSchema !== undefined)
    parts.push(`Answer:\n${schema(shape.outputSchema)}`);
  parts.push(shape.readOnly ? "Says that it changes nothing." : "Does not say that it changes nothing.");
  return parts.filter((part) => part !== "").join("\n\n");
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

/** The tools that wait for somebody to look at them. */
export const waiting = <Tool extends McpToolLine>(tools: Tool[]): Tool[] =>
  tools.filter((tool) => tool.enabled && (tool.standing === "new" || tool.standing === "changed"));

/** Those among them that can be approved as they are. */
export const approvable = (tools: McpToolLine[]): { name: string; hash: string }[] =>
  waiting(tools).flatMap(({ name, hash }) => (hash === null ? [] : [{ name, hash }]));

/** Which tools of which servers, by name or id, an agent has: all of a server's where its list is `null`. */
export type Chosen = Record<string, string[] | null>;

/** A server as the form of an agent offers it. */
export interface Choice {
  /** What the agent says for it: its name, or the id of one server. */
  ref: string;
  name: string;
  /** All that it is known to have, in whichever project. */
  tools: string[];
  /** What the agent has of it; nothing where it does not have the server. */
  mine: string[] | null | undefined;
  /** Whether the team has it. */
  team: boolean;
  /** Whether a project or the team has it. */
  there: boolean;
}

/** The servers of the team and of all projects by name. One that the agent has by its id stands in the place of its name. */
export function choices(servers: McpServerLine[], chosen: Chosen): Choice[] {
  const had = new Map(Object.entries(chosen));
  const byId = new Map(servers.map((server) => [server.id, server]));
  const all = new Map<string, Omit<Choice, "tools"> & { tools: Set<string> }>();
  const pinned = new Set<string>();
  for (const [ref, mine] of had) {
    const server = byId.get(ref);
    if (server && !had.has(server.name)) pinned.add(server.name);
    all.set(ref, {
      ref,
      name: server?.name ?? ref,
      tools: new Set(mine),
      mine,
      team: false,
      there: false,
    });
  }
  const meet = (ref: string, { name, tools, projectId }: McpServerLine) => {
    const choice = all.get(ref) ?? { ref, name, tools: new Set(), mine: undefined, team: false, there: true };
    for (const tool of tools) choice.tools.add(tool.name);
    all.set(ref, { ...choice, team: choice.team || projectId === null, there: true });
  };
  for (const server of servers) {
    if (had.has(server.id)) meet(server.id, server);
    if (!pinned.has(server.name)) meet(server.name, server);
  }
  return [...all.values()]
    .map((choice) => ({ ...choice, tools: [...choice.tools].sort() }))
    .sort((a, b) => a.name.localeCompare(b.name) || Number(a.ref !== a.name) - Number(b.ref !== b.name));
}
