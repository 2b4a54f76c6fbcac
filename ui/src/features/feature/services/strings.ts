import type { ServiceStatus } from "@/api/types";

export const STATUS: Record<ServiceStatus, string> = {
  running: "Running",
  ended: "Ended",
  stopped: "Stopped",
  lost: "Gone",
};

/** What the views of services and of the terminal say. */
export const v = {
  title: "Services",
  none: "Nothing runs on here",
  noneText:
    "A service is a command that runs on, such as a web server to look at or a watcher. Agents start them while they work; whoever started the work, and admins, can start one while it waits.",
  noneYet: "When an agent has begun, there is a worktree in which something can run.",
  atWork:
    "While an agent works, it starts what it needs. You can start something yourself when the work waits for you.",
  add: "Start a service",
  name: "Name",
  nameHelp: "Small letters, digits and hyphens.",
  command: "Command",
  port: "Port",
  portHelp: "Where it listens, if you want to look at its pages.",
  start: "Start",
  again: "Start again",
  stop: "Stop",
  stopOne: (name: string) => `Stop ${name}`,
  open: "Open",
  openOne: (name: string) => `Open the pages of ${name} in a new tab`,
  blocked: "The browser kept the new tab from opening",
  at: (port: number) => `Port ${port}`,
  by: (name: string) => `by ${name}`,
  byAgent: "by the agent",
  exit: (code: number) => `exit code ${code}`,
  signal: "ended by a signal",
  until: "ends by itself at the latest",
  log: (name: string) => `What ${name} printed`,
  limit: "It ends after an hour, and before anybody works in the worktree again.",
};

/** What the terminal says. */
export const w = {
  title: "A terminal in the worktree",
  lead: "A shell in the sandbox of this work's commands. What you change while the work waits for you becomes part of it, in your name. The home folder and /tmp are new each time.",
  leadLook:
    "A shell in the sandbox of this work's commands. An agent is at work, or the work is settled, so files can only be looked at.",
  none: "There is no worktree now",
  noneText: "It is made when an agent begins, and goes when the work is merged or started over.",
  notYours: "This terminal is not yours to open",
  notYoursText: "Whoever started the work may open one, and admins.",
  open: "Open terminal",
  again: "Open again",
  close: "Close terminal",
  connecting: "Opening …",
  readOnly:
    "Files can only be looked at: an agent or somebody else is at work, or the work does not wait for anybody.",
  wayOut: "Ctrl+Shift+↑ leaves the terminal by keyboard.",
  screenReader: "Screen reader mode",
  label: "Terminal",
  over: {
    ended: "The shell has ended.",
    idle: "Nobody typed for half an hour, so it was closed.",
    needed: "The worktree is needed, so it was closed. What you changed was kept.",
    session: "Your session has ended.",
    lost: "The connection to the server was lost. What you changed was kept.",
    closed: "Closed. What you changed was kept.",
  },
};
