/** What is said of the sandbox. */
export const words = {
  title: "Sandbox",
  lead: "How agents' commands are kept apart from this server, as it found when it tried.",
  short: "Whether agents' commands are kept apart from this server and from each other.",
  state: {
    apart: "Agents' commands are kept apart",
    none: "Agents' commands are not kept apart",
    broken: "No agent can start on this server",
  },
  apartText:
    "Each command runs in a room of its own: it sees its worktree and the system's programs, and neither the server's keys, nor its database, nor other work.",
  noneText:
    'The operator wrote sandbox = "none". Every agent can read this server\'s keys and database and everybody\'s work, and can change all of it. Set sandbox = "bubblewrap" and start the server again.',
  brokenText:
    "It cannot keep agents' commands apart from itself, so it runs none. Mend what is marked below; the server looks again by itself.",
  findings: "What was tried",
  works: "Works",
  missing: "Missing",
  doctor: "On the server, `guildhall doctor` says the same, and docs/sandbox.md what each of these is for.",
  open: "What was found",
  banner: {
    none: "Agents' commands are not kept apart from this server.",
    broken: "No agent can start on this server.",
    ask: "Ask whoever runs it to mend that.",
  },
} as const;
