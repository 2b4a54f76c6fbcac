export const connect = {
  title: "Connect your tools",
  lead: "Editors and agents that speak MCP work with this team's projects, cards and knowledge as you. All they need is this address; they ask you here what they may do.",
  address: "Address",
  how: "How to connect",
  byToken:
    "A program that cannot ask takes an access token instead, as a header: “Authorization: Bearer …”. Make one below.",
  connected: "Connected programs",
  none: "No program is connected yet.",
  since: "connected",
  used: "last used",
  unused: "never used",
  end: "Disconnect",
  endOf: (name: string) => `Disconnect ${name}`,
  endTitle: (name: string) => `Disconnect “${name}”?`,
  endText: "It is refused from that moment on. It can ask you again.",
  ended: "Program disconnected",
} as const;

/** How each program is told of the address. */
export const tools: readonly { id: string; label: string; note: string; line: (url: string) => string }[] = [
  {
    id: "claude-code",
    label: "Claude Code",
    note: "In a terminal; then /mcp in Claude Code to sign in.",
    line: (url) => `claude mcp add --transport http guildhall ${url}`,
  },
  {
    id: "codex",
    label: "Codex",
    note: "In a terminal; it signs in by itself, and again with “codex mcp login guildhall”.",
    line: (url) => `codex mcp add guildhall --url ${url}`,
  },
  {
    id: "cursor",
    label: "Cursor",
    note: "In ~/.cursor/mcp.json, beside other servers that stand there.",
    line: (url) => JSON.stringify({ mcpServers: { guildhall: { url } } }),
  },
  {
    id: "vscode",
    label: "VS Code",
    note: "In a terminal.",
    line: (url) => `code --add-mcp '${JSON.stringify({ name: "guildhall", type: "http", url })}'`,
  },
  {
    id: "inspector",
    label: "MCP Inspector",
    note: "In a terminal, to try the tools by hand.",
    line: (url) => `npx @modelcontextprotocol/inspector --transport http --server-url ${url}`,
  },
];

export const consentWords = {
  title: (name: string) => `Connect “${name}”?`,
  lead: "It wants to act as you in this team.",
  as: (name: string, email: string) => `You are ${name} (${email}).`,
  says: "Nobody has checked what it calls itself. Allow it only if you have just begun to connect it.",
  unchecked: "Nobody has checked what it calls itself.",
  leads: (to: string) => `It gets its answer at ${to}.`,
  may: "It may",
  allow: "Allow",
  deny: "Do not allow",
  going: "Going back to it…",
  brokenTitle: "This cannot be connected",
  brokenLead: "Nothing was allowed. Begin again in the program that sent you here.",
  noScope: "It asks for nothing that your role could allow.",
  wrongLead: (name: string) => `“${name}” asks in a way that cannot be answered. Nothing was allowed.`,
  wrong: (why: string) => `What is wrong: ${why}.`,
  mend: "Bring the program up to date, or add this server to it anew. If that does not help, tell those who make it what is wrong.",
  tell: "Go back and let it know",
} as const;
